# A file one byte larger than all outputs together may be, and one that fits.
truncate -s 67108865 /output/over || exit 1
echo mine > /output/real
