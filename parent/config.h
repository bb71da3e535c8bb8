/* config.h - what `holdfast run` is told: one INI file (docs/config-parent.md).
 *
 * Nothing in it is secret and nothing in it is trusted by the enclave. */
#ifndef PARENT_CONFIG_H
#define PARENT_CONFIG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/conf.h"
#include "core/log.h"
#include "parent/allow.h"
#include "parent/store_open.h"
#include "policy/witnesses.h"

enum { PARENT_PATH = 256, PARENT_EGRESS = 4096, PARENT_STORES = 1024 };

struct parent_config {
    char     listen[PARENT_PATH];     /* core/io.h address where clients come in              */
    char     enclave[PARENT_PATH];    /* core/io.h address of the enclave's web side          */
    uint64_t clients;                 /* client connections at once, at most                  */
    uint64_t client_idle;             /* seconds a client connection may be silent            */
    char     link[PARENT_PATH];       /* core/io.h address where the enclave comes in         */
    uint64_t link_cid;                /* only this vsock CID may come in there; 0: any        */
    uint64_t links;                   /* link connections at once, at most                    */
    uint64_t link_idle;               /* seconds a store connection may be silent             */
    uint64_t egress_idle;             /* seconds the enclave's way out may be silent          */
    uint64_t stop;                    /* seconds running puts may take after SIGTERM          */
    char     egress[PARENT_EGRESS];   /* the allowlist as text                                */
    struct allow allow;               /* the same, parsed                                     */
    char     store_dir[PARENT_PATH];  /* folder of the sealed objects, or another store's name */
    char     stores[PARENT_STORES];   /* several, behind commas; what is used, once it is read */
    uint64_t durable;                 /* stores that must have what is written; 0: all        */
    struct s3_settings s3;
    char     witness_policy[PARENT_PATH]; /* file of witnesses to ask; "": none                */
    uint64_t witness_deadline;        /* seconds to ask them, at most                         */
    uint64_t store_keep;              /* generations kept                                     */
    uint64_t store_max_object;        /* bytes of one object, at most                         */
    char     log_level[8];
    enum log_level level;
};

extern const struct conf_key parent_config_keys[];
extern const size_t parent_config_count;

/* Defaults, then the file, then what the keys must be together. Fails: E_FORMAT, E_ABSENT (no file). */
err parent_config_read(struct parent_config *out, const char *path);
/* The same from memory; for tests. */
err parent_config_parse(struct parent_config *out, const char *name, const char *text);
/* Read the witnesses' file it names; without one, all of *out is zero and *any false. Fails: E_IO, E_FORMAT, E_LIMIT. */
err parent_witnesses(struct witnesses *out, bool *any, const struct parent_config *c);
/* The stores it names; borrowed from it. */
struct store_conf parent_stores(const struct parent_config *c);

#endif
