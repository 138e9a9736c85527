-- The input is JSON on standard input; the last line is the result where it is JSON.
io.stderr:write("at work\n")
print(('{"input":%s,"runtime":"%s"}'):format(io.read("a"), _VERSION))
