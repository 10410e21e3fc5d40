-- For lighttpd's mod_magnet: a list that the responder vouches for lies below
-- DIR/fresh/NUMBER of the present ten seconds, and only as long as it is fresh.
-- Install it as /etc/goproxy/fresh.lua; see lighttpd.conf. It runs for each list
-- (1.3 us), so it asks lighttpd for as little as can be.

-- [cache] dir, and "/fresh/"
local dir = "/var/cache/goproxy/fresh/"
-- "" for the whole site, "/goproxy" for a part of one.
local prefix = ""

local attr = lighty.r.req_attr
local path = attr["uri.path"]
if prefix ~= "" then path = path:sub(#prefix + 1) end
attr["physical.path"] = dir .. os.time() // 10 .. path
return 0
