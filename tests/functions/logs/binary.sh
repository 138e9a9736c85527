# What is no text, or more than text: broken UTF-8, NUL, escape sequences, separators that some take for line ends.
printf 'a\377b\300\200c\355\240\200d\000e\033[2J\033]0;title\007f\302\2332Jg\342\200\250h\r\n'
printf '\360\237\230' >&2
