# A file that says it has 1 TB, and has nothing.
truncate -s 1T /output/huge || exit 1
echo mine > /output/real
