/* What a process may do: identity, number of files, core dumps, its pid file. Called by main at
 * start. */
#pragma once

#include "base/err.h"

/* Started as root: becomes that user with his groups, for good, and gives him the file open at
 * pid_fd, if any. "": nothing. */
bool privileges_drop(const char *user, int pid_fd, struct err *err) must_check;

/* As many files as the system allows. */
void privileges_raise_files(void);

/* Whether this process and its children may leave core dumps and be traced. A change of identity
 * undoes it. */
bool privileges_set_dumps(bool allowed, struct err *err) must_check;

/* Writes the process id; refuses a file whose process still lives. *fd_out holds the lock, until it
 * is closed. "": nothing, -1. */
bool pid_file_write(const char *path, int *fd_out, struct err *err) must_check;
/* Whether it could be. */
bool pid_file_check(const char *path, struct err *err) must_check;
void pid_file_remove(const char *path);
