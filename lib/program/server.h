/*
 * server.h - the pool's master: holds the listening socket, keeps [server]
 * processes workers alive, stops and reloads without losing a request.
 *
 * Workers are this program again, with the socket as descriptor 0, as
 * under spawn-fcgi; so a reload takes a new binary and new settings. Until
 * then they get the settings that were right at the last reload, whatever has
 * become of the file.
 */
#ifndef PROGRAM_SERVER_H
#define PROGRAM_SERVER_H

#include "state/config.h"

/*
 * config_option and listen_option are those of the command line, or NULL.
 * Returns an exit status.
 */
int server_run(struct config *config, const char *program_path, const char *config_option,
	       const char *listen_option);

#endif
