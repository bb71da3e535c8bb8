/* cmd_log.h - the parts of `holdfast log`. */
#ifndef PARENT_CMD_LOG_H
#define PARENT_CMD_LOG_H
#include "parent/command.h"

enum exits log_show(const struct call *c);
enum exits log_verify(const struct call *c);
enum exits log_monitor(const struct call *c);
enum exits log_requests(const struct call *c);

#endif
