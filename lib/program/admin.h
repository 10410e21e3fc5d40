/*
 * admin.h - the administrator's commands. Each returns an exit status.
 */
#ifndef PROGRAM_ADMIN_H
#define PROGRAM_ADMIN_H

/* Print the settings in effect and where each comes from, or what is wrong. */
int admin_check_config(const char *config_option, const char *program_path);

/* Print the documented sample, conf/goproxy.ini. */
int admin_sample_config(void);

/* "token USER": print a new one, and the line to put into [private] tokens_file. */
int admin_token(const char *user);

#endif
