/* config.c - the keys of `holdfast run`. The table is the one place where a key is named;
 * a test compares docs/config-parent.md and the help text with it. */
#include "parent/config.h"

#include <string.h>

#include "core/mem.h"
#include "parent/file.h"

enum { POLICY_FILE = 1 << 16 };

#define DEFAULT_DIR "/var/lib/holdfast/store"
#define TEXT_KEY(sec, key, member, words) \
    { sec, key, CONF_TEXT, offsetof(struct parent_config, member), sizeof ((struct parent_config *)0)->member, 0, 0, words }
#define NUMBER_KEY(sec, key, kind, member, lo, hi, words) \
    { sec, key, kind, offsetof(struct parent_config, member), sizeof(uint64_t), lo, hi, words }

const struct conf_key parent_config_keys[] = {
    TEXT_KEY("parent", "listen", listen, "where clients come in: tcp:HOST:PORT or unix:PATH"),
    TEXT_KEY("parent", "enclave", enclave, "the enclave's web side: vsock:CID:PORT, unix:PATH or tcp:HOST:PORT"),
    NUMBER_KEY("parent", "clients", CONF_U64, clients, 1, 4096, "client connections at once, at most"),
    NUMBER_KEY("parent", "client_idle", CONF_SECONDS, client_idle, 1, 3600, "how long a client connection may be silent"),
    TEXT_KEY("parent", "link", link, "where the enclave comes in: vsock:any:PORT, unix:PATH or tcp:HOST:PORT"),
    NUMBER_KEY("parent", "link_cid", CONF_U64, link_cid, 0, UINT32_MAX, "only this vsock CID may come in there; 0: any"),
    NUMBER_KEY("parent", "links", CONF_U64, links, 1, 4096, "connections of the enclave at once, at most"),
    NUMBER_KEY("parent", "link_idle", CONF_SECONDS, link_idle, 1, 604800, "how long a store connection of the enclave may be silent"),
    NUMBER_KEY("parent", "egress_idle", CONF_SECONDS, egress_idle, 1, 86400, "how long a connection out may be silent"),
    NUMBER_KEY("parent", "stop", CONF_SECONDS, stop, 1, 3600, "how long running puts may take after SIGTERM"),
    TEXT_KEY("parent", "egress", egress, "where the enclave may connect to: HOST:PORT[=TARGET], ..."),
    TEXT_KEY("store", "dir", store_dir, "folder of the sealed objects; made when it is missing or empty"),
    TEXT_KEY("store", "store", stores, "or its name, or several: dir:/FOLDER, s3:BUCKET/PREFIX, ..."),
    NUMBER_KEY("store", "durable", CONF_U64, durable, 0, STORES_MAX, "stores that must have what is written; 0: all of them"),
    NUMBER_KEY("store", "keep", CONF_U64, store_keep, 1, 100000, "generations kept; older ones are removed after a seal"),
    NUMBER_KEY("store", "max_object", CONF_BYTES, store_max_object, 1u << 20, 1ull << 44, "size of one object, at most"),
    TEXT_KEY("s3", "endpoint", s3.endpoint, "the S3 server: https://HOST[:PORT]"),
    TEXT_KEY("s3", "region", s3.region, "the region that requests are signed for"),
    TEXT_KEY("s3", "style", s3.style, "path or virtual: where the bucket stands in the address"),
    TEXT_KEY("s3", "credentials", s3.credentials, "file with the access key, of mode 0600"),
    { "s3", "http", CONF_BOOL, offsetof(struct parent_config, s3.http), sizeof(bool), 0, 0, "yes: http:// to other machines is meant" },
    TEXT_KEY("witness", "policy", witness_policy, "file with the log's witnesses (c2sp.org/tlog-policy)"),
    NUMBER_KEY("witness", "deadline", CONF_SECONDS, witness_deadline, 1, 300, "how long they may be asked for their cosignatures"),
    TEXT_KEY("log", "level", log_level, "debug, info, warn or error"),
};
const size_t parent_config_count = sizeof parent_config_keys / sizeof *parent_config_keys;

static void defaults(struct parent_config *c)
{
    memset(c, 0, sizeof *c);
    strcpy(c->listen, "tcp:127.0.0.1:8000");
    strcpy(c->enclave, "vsock:16:8000");
    c->clients = 256;
    c->client_idle = 120;
    strcpy(c->link, "vsock:any:8001");
    c->links = 64;
    c->link_idle = 86400;
    c->egress_idle = 300;
    c->stop = 30;
    strcpy(c->store_dir, DEFAULT_DIR);
    c->store_keep = 48;
    c->store_max_object = 64ull << 30;
    c->witness_deadline = 10;
    strcpy(c->log_level, "info");
}

static err level_parse(enum log_level *out, const char *word)
{
    static const char *const words[] = { "debug", "info", "warn", "error" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i], word) == 0) {
            *out = (enum log_level)i;
            return OK;
        }
    FAIL(E_FORMAT, "[log] level is debug, info, warn or error, not `%s`", word);
}

/* `dir` is the older spelling for one store. */
static err stores_check(struct parent_config *c)
{
    if (c->stores[0] && c->store_dir[0] && strcmp(c->store_dir, DEFAULT_DIR) != 0) FAIL(E_FORMAT, "[store] has both dir and store: keep one of them");
    if (strchr(c->store_dir, ',')) FAIL(E_FORMAT, "[store] dir names one folder; for several stores use [store] store");
    if (!c->stores[0] && !c->store_dir[0]) FAIL(E_FORMAT, "[store] dir must name a folder");
    if (!c->stores[0]) strcpy(c->stores, c->store_dir);
    const struct store_conf stores = parent_stores(c);
    return store_names_check(&stores);
}

struct store_conf parent_stores(const struct parent_config *c)
{
    return (struct store_conf){ c->stores, c->durable, c->s3 };
}

err parent_witnesses(struct witnesses *out, bool *any, const struct parent_config *c)
{
    BYTES text = NULL;
    size_t n = 0;
    memset(out, 0, sizeof *out);
    *any = c->witness_policy[0];
    if (!*any) return OK;
    TRY(file_read(&text, &n, c->witness_policy, POLICY_FILE));
    TRY(witnesses_parse(out, (const char *)text, n));
    *any = false;
    for (size_t i = 0; i < out->name_count; i++) *any = *any || out->names[i].url[0];
    if (!*any) FAIL(E_FORMAT, "%s has no witness with a URL: nobody could be asked", c->witness_policy);
    return OK;
}

static err check(struct parent_config *c)
{
    if (!c->listen[0] || !c->enclave[0] || !c->link[0]) FAIL(E_FORMAT, "[parent] listen, enclave and link must be addresses");
    TRY(stores_check(c));
    TRY(level_parse(&c->level, c->log_level));
    return allow_parse(&c->allow, c->egress);
}

err parent_config_read(struct parent_config *out, const char *path)
{
    defaults(out);
    TRY(conf_read(path, parent_config_keys, parent_config_count, out));
    return check(out);
}

err parent_config_parse(struct parent_config *out, const char *name, const char *text)
{
    defaults(out);
    TRY(conf_parse(name, text, parent_config_keys, parent_config_count, out));
    return check(out);
}
