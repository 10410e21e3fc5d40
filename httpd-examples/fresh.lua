-- For lighttpd's mod_magnet: a list that the responder vouches for lies below
-- DIR/fresh/NUMBER of the present ten seconds, and only as long as it is fresh.
-- Install it as /etc/goproxy/fresh.lua; see lighttpd.conf.
local attr = lighty.r.req_attr
local dir = attr["physical.basedir"]
attr["physical.path"] = dir .. os.time() // 10 .. "/" .. attr["physical.path"]:sub(#dir + 1)
return 0
