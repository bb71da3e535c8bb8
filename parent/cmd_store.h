/* cmd_store.h - the store that a command is about: --store NAME, or --config FILE which names it. */
#ifndef PARENT_CMD_STORE_H
#define PARENT_CMD_STORE_H
#include "parent/command.h"
#include "parent/config.h"

/* Find it by the command's options `store` and `config`, and open it. Out: its path in dir[cap]; *store, to be
 * closed by the caller. Returns EXIT_DONE, or what to exit with when the reason was said. */
enum exits cmd_store(struct store_backend **store, char *dir, size_t cap, const struct call *c);
/* A second one, with the same [s3] settings; `create`: as store_open(). Fails: as store_open(), E_FORMAT (the configuration). */
err cmd_store_other(struct store_backend **store, const char *name, bool create, const struct call *c);

#endif
