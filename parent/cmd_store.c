/* cmd_store.c - see cmd_store.h. */
#include "parent/cmd_store.h"

#include <stdio.h>

#include "parent/config.h"
#include "parent/say.h"

enum exits cmd_store(struct store_backend **store, char *dir, size_t cap, const struct call *c)
{
    const char *given = call_value(c, "store"), *config = call_value(c, "config");
    struct parent_config conf;
    if (!given == !config)
        return say_failure(c, EXIT_USAGE, NULL, NULL, "%s: give either --store DIR or --config FILE", c->command->name);
    if (config && parent_config_read(&conf, config).code)
        return say_failure(c, EXIT_USAGE, NULL, "The line above says what is wrong.", "the configuration %s cannot be used", config);
    if ((size_t)snprintf(dir, cap, "%s", given ? given : conf.store_dir) >= cap)
        return say_failure(c, EXIT_USAGE, NULL, NULL, "%s: the path is too long", c->command->name);
    err e = store_dir_open(store, dir, false);
    if (e.code)
        return say_failure(c, EXIT_REFUSED, NULL, "Is that the [store] dir of the running parent, and may you read it?",
                           "%s cannot be opened as a store: %s", dir, err_text(e.code));
    return EXIT_DONE;
}
