-- The operations of the conformance kit. The input is a JSON string: an operation and its argument.
local input = io.read("a")
local op, rest = input:match('^"([a-z-]+) ?(.*)"$')

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

local function read(path)
  local file = io.open(path, "rb")
  if not file then os.exit(1) end
  return file:read("a")
end

local ops = {
  hello = function() print('{"hello":"world"}') end,
  print = function() print(rest) end,
  env = function() print(os.getenv(rest)) end,
  exit = function()
    print("out")
    io.stderr:write("err\n")
    os.exit(tonumber(rest), true)
  end,
  input = function()
    write("/output/stdin", input)
    write("/output/file", read(os.getenv("PAYLOAD_FILE")))
    write("/output/env", os.getenv("PAYLOAD") or "")
  end,
  files = function()
    os.execute("mkdir -p /output/a/b")
    local bytes = {}
    for byte = 0, 255 do bytes[#bytes + 1] = string.char(byte) end
    write("/output/a/b/bytes", table.concat(bytes))
    write("/output/empty", "")
    io.write(table.concat(bytes))
  end,
  flood = function() io.write(("x"):rep(tonumber(rest))) end,
  read = function() print(read(rest)) end,
  hold = function()
    local mib, ms = rest:match("(%d+) (%d+)")
    local held = {}
    for i = 1, mib * 16 do
      held[i] = ("x"):rep(65536)
      if i % 16 == 0 then collectgarbage() end
    end
    os.execute("sleep " .. ms / 1000)
  end,
  hang = function()
    print("hanging")
    io.stdout:flush()
    os.execute("trap '' TERM; sleep 60 & sleep 60")
  end,
  ["fork-bomb"] = function()
    for i = 1, 1000 do
      if not os.execute("sleep 20 &") then break end
      print(i)
    end
  end,
  leave = function()
    for _, place in ipairs({ ".", "/tmp", "/var/tmp", "/dev/shm", "/output" }) do write(place .. "/left", "left") end
  end,
  daemon = function()
    print(io.popen("setsid sleep 60 </dev/null >/dev/null 2>&1 & echo $!"):read("l"))
  end,
}
assert(ops[op], "unknown operation: " .. tostring(op))()
