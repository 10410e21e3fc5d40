"""peers - other module proxies, if variables name their programs. None of this has been tried."""
import os

from sites import Server

GO_SETTINGS = {"GOSUMDB": "off", "GONOSUMDB": "*", "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "GOENV": "off"}


def athens(program, port, folder, upstream):
    return [program], {"ATHENS_PORT": ":%d" % port, "ATHENS_STORAGE_TYPE": "disk", "ATHENS_DISK_STORAGE_ROOT": folder,
                       "ATHENS_DOWNLOAD_MODE": "sync", "ATHENS_LOG_LEVEL": "error", "ATHENS_STATS_EXPORTER": "",
                       "ATHENS_GO_BINARY_ENV_VARS": "GOPROXY=%s;GOSUMDB=off" % upstream}


def goproxy(program, port, folder, upstream):
    return [program, "server", "--address", "127.0.0.1:%d" % port, "--proxied-sumdbs", "",
            "--cacher-dir", folder], {"GOPROXY": upstream}


def goproxyio(program, port, folder, upstream):
    return [program, "-listen", "127.0.0.1:%d" % port, "-cacheDir", folder, "-proxy", upstream], {}


PROGRAMS = {"ATHENS": ("Athens", athens), "GOPROXY_PEER": ("goproxy", goproxy), "GOPROXYIO": ("goproxyio", goproxyio)}


def start_one(title, command_of, program, fixture, folder):
    server = Server(title.lower())
    server.title = title
    command, env = command_of(program, server.port, folder, fixture.url)
    server.start(command, {"PATH": os.environ["PATH"], "HOME": server.dir, **GO_SETTINGS, **env})
    return server


def start(fixture, folder):
    """Those that are named, each with an empty cache below the folder."""
    started = []
    for variable, (title, command_of) in PROGRAMS.items():
        program, cache = os.environ.get(variable), "%s/%s" % (folder, variable)
        if program:
            os.mkdir(cache)
            started.append(start_one(title, command_of, program, fixture, cache))
    return started
