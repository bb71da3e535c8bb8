/* cmd_backups.c - `holdfast backups`: the generations in a store, told without a key. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/buf.h"
#include "parent/catalogue.h"
#include "parent/cmd_store.h"
#include "parent/config.h"
#include "parent/progress.h"
#include "parent/say.h"
#include "parent/store_many.h"

/* The time in a manifest is a stranger's number: not every one is a date. */
static void time_text(char out[static 32], uint64_t seconds)
{
    struct tm at;
    time_t t = (time_t)seconds;
    if (seconds > 253402300799u || !gmtime_r(&t, &at) || strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &at) == 0)
        snprintf(out, 32, "%" PRIu64, seconds);
}

static json_t *packs_json(const struct generation *g, const struct catalogue *c)
{
    json_t *packs = json_array();
    for (uint32_t i = 0; packs && i < g->clear.packs; i++) {
        const struct object *o = catalogue_find(c, g->packs[i].name);
        json_array_append_new(packs, json_pack("{s:s, s:I, s:I, s:b}", "name", g->packs[i].name,
                                               "generation", (json_int_t)g->packs[i].generation,
                                               "size", (json_int_t)g->packs[i].size,
                                               "present", (int)(o && o->size == g->packs[i].size)));
    }
    return packs;
}

static json_t *generation_json(const struct generation *g, const struct catalogue *c)
{
    if (!g->readable)
        return json_pack("{s:I, s:s, s:b, s:b}", "generation", (json_int_t)g->number, "manifest", g->object->name,
                         "readable", 0, "head", (int)g->is_head);
    char service[2 * SERVICE_ID + 1];
    hex_from(service, g->clear.service, SERVICE_ID);
    return json_pack("{s:I, s:s, s:b, s:b, s:b, s:I, s:I, s:I, s:I, s:s, s:I, s:o}",
                     "generation", (json_int_t)g->number, "manifest", g->object->name, "readable", 1,
                     "head", (int)g->is_head, "complete", (int)(g->missing == 0),
                     "time", (json_int_t)g->clear.time, "bytes", (json_int_t)g->bytes,
                     "image_size", (json_int_t)g->clear.image_size, "epoch", (json_int_t)g->clear.epoch,
                     "service_id", service, "log_position", (json_int_t)g->clear.log_position, "packs", packs_json(g, c));
}

struct stores { json_t *list; bool text, lag; };

static err one_store(void *self, const struct many_report *r)
{
    static const char *const words[] = { [MANY_WHOLE] = "whole", [MANY_BEHIND] = "behind", [MANY_AWAY] = "away" };
    struct stores *s = self;
    s->lag = s->lag || r->state != MANY_WHOLE;
    if (s->text) printf("store %s: %s, generation %" PRIu64 "\n", r->name, words[r->state], r->generation);
    else json_array_append_new(s->list, json_pack("{s:s, s:s, s:I}", "name", r->name, "state", words[r->state], "generation", (json_int_t)r->generation));
    return OK;
}

static enum exits list_json(const struct catalogue *c, json_t *stores)
{
    JSON out = json_pack("{s:I, s:b, s:I, s:[], s:O}", "objects", (json_int_t)c->object_count, "head", (int)(c->raw_head_len > 0),
                         "head_generation", (json_int_t)c->head.generation, "generations", "stores", stores);
    for (size_t i = 0; i < c->generation_count; i++)
        json_array_append_new(json_object_get(out, "generations"), generation_json(&c->generations[i], c));
    return say_json(&out);
}

static enum exits list_text(const struct catalogue *c)
{
    printf("%-10s %-20s %9s %8s %5s  %s\n", "GENERATION", "TIME", "SIZE", "LOG", "PACKS", "STATE");
    for (size_t i = 0; i < c->generation_count; i++) {
        const struct generation *g = &c->generations[i];
        char at[32] = "-", size[16];
        progress_size(size, g->bytes);
        if (g->readable) time_text(at, g->clear.time);
        printf("%-10" PRIu64 " %-20s %9s %8" PRIu64 " %5u  %s", g->number, at, size, g->readable ? g->clear.log_position : 0, g->clear.packs,
               !g->readable ? "damaged" : g->missing ? "incomplete" : "whole");
        if (g->missing) printf(" (%u packs missing)", g->missing);
        puts(g->is_head ? ", head" : "");
    }
    if (c->raw_head_len == 0) puts(c->object_count ? "no head: the enclave refuses this store" : "the store is empty");
    else if (c->head.generation == 0) puts("nothing sealed yet");
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
}

/* Can the enclave start from this? As far as can be seen from here. */
static enum exits verdict(const struct call *c, const struct catalogue *cat)
{
    const struct generation *head = NULL;
    for (size_t i = 0; i < cat->generation_count; i++)
        if (cat->generations[i].is_head) head = &cat->generations[i];
    bool whole = cat->raw_head_len ? cat->head.generation == 0 || (head && head->readable && !head->missing)
                                   : cat->object_count == 0;
    /* For cron: a listing that looks fine to nobody should not end with 0. */
    if (whole) return EXIT_DONE;
    if (!c->json)
        fputs("holdfast: the present generation is not whole; the enclave will not start from this store\n"
              "  Put the missing objects back from a copy of the store.\n", stderr);
    return EXIT_REFUSED;
}

static enum exits run_backups(const struct call *c)
{
    STORE_BACKEND store = NULL;
    CATALOGUE cat = { 0 };
    char dir[PARENT_STORES];
    enum exits code = cmd_store(&store, dir, sizeof dir, c);
    if (code != EXIT_DONE) return code;
    err e = catalogue_read(&cat, store);
    if (e.code)
        return say_failure(c, EXIT_REFUSED, NULL, "The line above names the damaged part: put it back from a copy.",
                           "%s cannot be read: %s", dir, err_text(e.code));
    struct stores stores = { .list = json_array(), .text = !c->json };
    JSON list = stores.list;
    e = store_many_states(store, one_store, &stores);
    if (e.code) return say_failure(c, EXIT_REFUSED, NULL, NULL, "%s: the stores cannot be compared: %s", dir, err_text(e.code));
    code = c->json ? list_json(&cat, list) : list_text(&cat);
    if (code == EXIT_DONE) code = verdict(c, &cat);
    if (stores.lag && !c->json)
        fputs("holdfast: not every store has the present generation\n  The running parent brings them up; its log says why a store is away.\n", stderr);
    return code == EXIT_DONE && stores.lag ? EXIT_REFUSED : code;
}

static const struct option_row options[] = {
    { "store", "NAME", "the store: a folder, dir:FOLDER or s3:BUCKET/PREFIX; several behind commas" },
    { "config", "FILE", "or the configuration of `holdfast run`, which names it" },
    { NULL, NULL, NULL },
};

const struct command backups_command = {
    .name = "backups",
    .summary = "List the sealed generations in a store.",
    .options = options,
    .run = run_backups,
    .details = "SIZE is what the generation needs in all; packs are shared between generations. What is\n"
               "said here comes from clear headers: only the enclave can tell whether they are authentic.\n"
               "With several stores, each is told: whole, behind or away.\n"
               "Exit code 1 when the present generation is not whole, or a store is behind or away.",
};
