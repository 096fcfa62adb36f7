-- wrk's script: POSTs the lines of a file in turn, each as a body; `@@` in one becomes a word never sent before.
-- Arguments: the file, and a word that no other run has. Prints how many were answered, how many were not, and seconds.

local bodies, at, serial, run = {}, 0, 0, ""

local function pieces(line)
  local found, from = {}, 1
  while true do
    local first, last = line:find("@@", from, true)
    found[#found + 1] = line:sub(from, (first or 0) - 1)
    if not first then return found end
    from = last + 1
  end
end

function init(arguments)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  run = arguments[2]
  for line in io.lines(arguments[1]) do bodies[#bodies + 1] = pieces(line) end
end

function request()
  at, serial = at % #bodies + 1, serial + 1
  return wrk.format(nil, nil, nil, table.concat(bodies[at], run .. serial))
end

function done(summary)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(string.format("answered %d failed %d seconds %.6f", summary.requests, failed, summary.duration / 1e6))
end
