/* config.h - the measured configuration: one INI file, read once, by init.
 *
 * In production the file is part of the image and so of PCR0; in simulation the
 * same keys point at other trust anchors (an NSM socket, a development CA). */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/conf.h"
#include "daemon/limits.h"
#include "signer/rules.h"
#include "signer/script_limits.h"

enum { CONFIG_PATH = 256, CONFIG_ARN = 256 };

struct daemon_config {
    char     service_name[64];          /* shown, and part of the genesis document        */
    char     service_id[65];            /* hex; when set, no other service is opened and none is made */
    char     setup[8];                  /* `open`; `channel`: /setup is taken over the channel only */
    char     public_key[67];            /* hex; when set, only a service with this master public key is made or opened */
    char     genesis[8];                /* `open`: the first caller of /setup decides; `closed`: /setup is refused */
    char     profile[32];               /* derivation profile by name                     */
    char     rules_text[RULES_TEXT];    /* rule sets of a new service, as written ...     */
    struct rule_list rules;             /* ... and read                                    */
    char     web_listen[CONFIG_PATH];   /* core/io.h address for clients                  */
    uint64_t web_connections;           /* at once, at most                               */
    uint64_t web_timeout;               /* seconds a client may be silent                 */
    char     parent_link[CONFIG_PATH];  /* core/io.h address of the parent's link         */
    uint64_t parent_wait;               /* seconds to keep trying the parent at start     */
    char     kms_key[CONFIG_ARN];       /* when set, /setup must name this key            */
    char     kms_endpoint[CONFIG_PATH]; /* host[:port]; empty: from the key's ARN         */
    bool     kms_fips;                  /* use the partition's FIPS endpoint              */
    char     kms_ca[CONFIG_PATH];       /* PEM file of the CAs that may vouch for KMS     */
    char     kms_credentials[CONFIG_PATH];  /* `imds`, `env`, or http://HOST[:PORT]/PATH of a container endpoint */
    char     nsm_root[CONFIG_PATH];     /* PEM of the root of other builds' attestation; empty: AWS Nitro Enclaves G1 */
    char     nsm_device[CONFIG_PATH];   /* /dev/nsm, or unix:PATH of the simulator        */
    char     disk_backend[8];           /* auto, loop, luks                              */
    char     disk_dir[CONFIG_PATH];     /* where the private tmpfs and the disk are mounted */
    uint64_t disk_size;                 /* bytes of a new image                           */
    uint64_t disk_size_max;             /* bytes an image may have or grow to; 0 in the file: as disk_size */
    uint64_t seal_interval;             /* seconds; 0: only when asked and at the end     */
    char     first_policy[65];          /* `open`, or the hash of the first policy that may be set; empty: none may */
    char     witness_policy[CONFIG_PATH]; /* trust policy file of the witnesses; empty: none */
    uint64_t judges;                    /* 0: one per processor                           */
    struct script_limits limits;        /* of the scripts of one request                 */
    struct limits spend;                /* [limits]                                      */
    uint64_t uid_base;                  /* role n runs as uid_base + n when started as root */
    char     log_level[8];              /* debug, info, warn, error                       */
};

extern const struct conf_key daemon_config_keys[];
extern const size_t daemon_config_count;

/* Defaults, then the file, then what the keys must be together. Fails: E_FORMAT, E_ABSENT (no file). */
err daemon_config_read(struct daemon_config *out, const char *path);

#endif
