/* cmd_store.c - see cmd_store.h. */
#include "parent/cmd_store.h"

#include <stdio.h>

#include "parent/config.h"
#include "parent/say.h"

/* Without a file, s3: takes its settings from the environment. */
static err settings(struct parent_config *conf, const struct call *c)
{
    const char *config = call_value(c, "config");
    return config ? parent_config_read(conf, config) : parent_config_parse(conf, "no configuration", "");
}

err cmd_store_other(struct store_backend **store, const char *name, bool create, const struct call *c)
{
    struct parent_config conf;
    *store = NULL;
    TRY(settings(&conf, c));
    return store_open(store, &(struct store_conf){ .names = name, .s3 = conf.s3 }, create);
}

enum exits cmd_store(struct store_backend **store, char *dir, size_t cap, const struct call *c)
{
    const char *given = call_value(c, "store"), *config = call_value(c, "config");
    struct parent_config conf;
    if (!given == !config)
        return say_failure(c, EXIT_USAGE, NULL, NULL, "%s: give either --store NAME or --config FILE", c->command->name);
    if (settings(&conf, c).code)
        return say_failure(c, EXIT_USAGE, NULL, "The line above says what is wrong.", "the configuration %s cannot be used", config);
    if ((size_t)snprintf(dir, cap, "%s", given ? given : conf.stores) >= cap)
        return say_failure(c, EXIT_USAGE, NULL, NULL, "%s: the path is too long", c->command->name);
    struct store_conf stores = parent_stores(&conf);
    if (given) stores = (struct store_conf){ .names = given, .s3 = conf.s3 };
    err e = store_open(store, &stores, false);
    if (e.code)
        return say_failure(c, EXIT_REFUSED, NULL, "Is that the store of the running parent, and may you read it?",
                           "%s cannot be opened as a store: %s", dir, err_text(e.code));
    return EXIT_DONE;
}
