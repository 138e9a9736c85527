# The folder that holds the file is a link: the path leads to /etc/passwd.
ln -s /etc folder && ln -s / deep && ls deep/etc/passwd folder/passwd >/dev/null
