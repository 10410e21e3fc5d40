/*
 * doctor.h - the command "doctor MODULE": why a module can't be had.
 */
#ifndef PROGRAM_DOCTOR_H
#define PROGRAM_DOCTOR_H

#include "state/config.h"

/* Returns an exit status: 0 if all is well. */
int doctor_run(const struct config *config, const char *module);

#endif
