#include "daemon/config.h"

#include <string.h>

#include "core/buf.h"

#define TEXT_KEY(sec, key, member, words) \
    { sec, key, CONF_TEXT, offsetof(struct daemon_config, member), sizeof ((struct daemon_config *)0)->member, 0, 0, words }
#define NUMBER_KEY(sec, key, kind, member, lo, hi, words) \
    { sec, key, kind, offsetof(struct daemon_config, member), sizeof(uint64_t), lo, hi, words }

#define TO_KEY(key, i) TEXT_KEY("limits", key, spend.to_n_text[i], "a scriptPubKey in hex that may be paid to")
#define SCRIPT_KEY(key, i) TEXT_KEY("limits", key, spend.script_text[i], "OUTPUT-KEY value=N count=N rules=A+B to=1+3: what holds for this output instead")
#define MAX_SATOSHI UINT64_C(2100000000000000)

const struct conf_key daemon_config_keys[] = {
    TEXT_KEY("service", "name", service_name, "the service's name; part of its genesis document"),
    TEXT_KEY("service", "id", service_id, "service id in hex: open this service only, and never make one"),
    TEXT_KEY("service", "public_key", public_key, "master public key in hex: make or open a service with this key only"),
    TEXT_KEY("service", "genesis", genesis, "open: the first caller of /setup decides; closed: /setup is refused"),
    TEXT_KEY("service", "setup", setup, "open: /setup comes as it likes; channel: over the encrypted channel only"),
    TEXT_KEY("service", "profile", profile, "derivation profile of a new service"),
    TEXT_KEY("service", "rules", rules_text, "rule sets of a new service, by comma; the first holds where a request names none"),
    TEXT_KEY("web", "listen", web_listen, "address for clients: vsock:any:PORT, unix:PATH or tcp:HOST:PORT"),
    NUMBER_KEY("web", "connections", CONF_U64, web_connections, 1, 4096, "client connections at once, at most"),
    NUMBER_KEY("web", "timeout", CONF_SECONDS, web_timeout, 1, 3600, "how long a client may be silent"),
    TEXT_KEY("parent", "link", parent_link, "the parent's link: vsock:3:PORT, unix:PATH or tcp:HOST:PORT"),
    NUMBER_KEY("parent", "wait", CONF_SECONDS, parent_wait, 1, 3600, "how long to wait for the parent at start"),
    TEXT_KEY("kms", "key", kms_key, "key ARN: when set, /setup must name this key"),
    TEXT_KEY("kms", "endpoint", kms_endpoint, "HOST[:PORT] of KMS; empty: from the key's ARN"),
    { "kms", "fips", CONF_BOOL, offsetof(struct daemon_config, kms_fips), sizeof(bool), 0, 0, "yes: the FIPS endpoint of the key's region" },
    TEXT_KEY("kms", "ca", kms_ca, "PEM file of the authorities that may vouch for KMS"),
    TEXT_KEY("kms", "credentials", kms_credentials, "imds; env: AWS_* of the environment holdfastd was started with; or http://HOST[:PORT]/PATH of a container endpoint"),
    TEXT_KEY("nsm", "device", nsm_device, "/dev/nsm, or unix:PATH of the simulator"),
    TEXT_KEY("nsm", "root", nsm_root, "PEM file of the root that other builds' attestation documents must lead to; empty: AWS Nitro Enclaves G1"),
    TEXT_KEY("disk", "backend", disk_backend, "auto: luks where the kernel has device-mapper; luks; loop"),
    TEXT_KEY("disk", "dir", disk_dir, "directory on which the private disk is mounted"),
    NUMBER_KEY("disk", "size", CONF_BYTES, disk_size, 16u << 20, 1ull << 44, "size of a new disk image"),
    NUMBER_KEY("disk", "size_max", CONF_BYTES, disk_size_max, 0, 1ull << 44, "what the disk may grow to; 0: no more than size"),
    NUMBER_KEY("seal", "interval", CONF_SECONDS, seal_interval, 0, 86400, "seal this often when something changed; 0: only when asked and at the end"),
    TEXT_KEY("policy", "first", first_policy, "who may set the first policy: SHA-256 in hex of that document; open: anybody; empty: nobody, so there are no upgrades"),
    TEXT_KEY("witness", "policy", witness_policy, "trust policy file (c2sp.org/tlog-policy): who must cosign the service's log; empty: nobody"),
    NUMBER_KEY("judge", "count", CONF_U64, judges, 0, 16, "script judges; 0: four more than there are processors"),
    NUMBER_KEY("judge", "script_bytes", CONF_U64, limits.script_bytes, 1, 4000000, "bytes of all scripts run for one request"),
    NUMBER_KEY("judge", "opcodes", CONF_U64, limits.opcodes, 1, 4000000, "opcodes looked at for one request"),
    NUMBER_KEY("judge", "signatures", CONF_U64, limits.signatures, 1, 80000, "signatures verified for one request"),
    NUMBER_KEY("judge", "hashed_bytes", CONF_BYTES, limits.hashed_bytes, 1, 1ull << 30, "bytes hashed for one request"),
    NUMBER_KEY("judge", "stack_bytes", CONF_BYTES, limits.stack_bytes, 1024, 520000, "bytes on a script's stacks at once"),
    NUMBER_KEY("judge", "time_ms", CONF_U64, limits.time_ms, 1, 15000, "milliseconds for the scripts of one request"),
    NUMBER_KEY("limits", "window", CONF_SECONDS, spend.window, 0, 31 * 86400, "length of the window in which values and counts are limited"),
    NUMBER_KEY("limits", "value", CONF_U64, spend.value, 0, MAX_SATOSHI, "satoshi signed for in any window; 0: no limit"),
    NUMBER_KEY("limits", "count", CONF_U64, spend.count, 0, UINT32_MAX, "signatures in any window; 0: no limit"),
    NUMBER_KEY("limits", "each_value", CONF_U64, spend.each_value, 0, MAX_SATOSHI, "the same value for each single output script"),
    NUMBER_KEY("limits", "each_count", CONF_U64, spend.each_count, 0, UINT32_MAX, "the same count for each single output script"),
    TEXT_KEY("limits", "to", spend.to_text, "where outputs may go: any; listed: to1 to to8; or some of them, as 1+3"),
    TEXT_KEY("limits", "others", spend.others, "no: only outputs that a scriptN names are signed for"),
    TO_KEY("to1", 0), TO_KEY("to2", 1), TO_KEY("to3", 2), TO_KEY("to4", 3), TO_KEY("to5", 4), TO_KEY("to6", 5), TO_KEY("to7", 6), TO_KEY("to8", 7),
    SCRIPT_KEY("script1", 0), SCRIPT_KEY("script2", 1), SCRIPT_KEY("script3", 2), SCRIPT_KEY("script4", 3),
    SCRIPT_KEY("script5", 4), SCRIPT_KEY("script6", 5), SCRIPT_KEY("script7", 6), SCRIPT_KEY("script8", 7),
    NUMBER_KEY("init", "uid_base", CONF_U64, uid_base, 1000, 4000000000u, "role number n runs as this uid + n when started as root"),
    TEXT_KEY("log", "level", log_level, "debug, info, warn or error"),
};
const size_t daemon_config_count = sizeof daemon_config_keys / sizeof *daemon_config_keys;

static void defaults(struct daemon_config *c)
{
    memset(c, 0, sizeof *c);
    strcpy(c->service_name, "holdfast");
    strcpy(c->genesis, "open");
    strcpy(c->setup, "open");
    strcpy(c->profile, "confidential-script-2");
    strcpy(c->rules_text, "tapscript");
    strcpy(c->web_listen, "vsock:any:8000");
    c->web_connections = 512;
    c->web_timeout = 30;
    strcpy(c->parent_link, "vsock:3:8001");
    c->parent_wait = 30;
    strcpy(c->kms_ca, "/etc/holdfast/kms-ca.pem");
    strcpy(c->kms_credentials, "imds");
    strcpy(c->nsm_device, "/dev/nsm");
    strcpy(c->disk_backend, "auto");
    strcpy(c->disk_dir, "/run/holdfast/disk");
    c->disk_size = 64u << 20;
    c->seal_interval = 60;
    c->limits = SCRIPT_LIMITS_DEFAULT;
    limits_defaults(&c->spend);
    c->uid_base = 61440;
    strcpy(c->log_level, "info");
}

static bool one_of(const char *value, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(value, *words) == 0) return true;
    return false;
}

err daemon_config_read(struct daemon_config *out, const char *path)
{
    static const char *const setup[] = { "open", "channel", NULL };
    static const char *const genesis[] = { "open", "closed", NULL };
    static const char *const profiles[] = { "reproducible-key", "confidential-script-1", "confidential-script-2", "holdfast-1", NULL };
    static const char *const backends[] = { "auto", "loop", "luks", NULL };
    static const char *const levels[] = { "debug", "info", "warn", "error", NULL };

    defaults(out);
    TRY(conf_read(path, daemon_config_keys, daemon_config_count, out));
    if (!one_of(out->genesis, genesis)) FAIL(E_FORMAT, "%s: [service] genesis is open or closed, not `%s`", path, out->genesis);
    if (!one_of(out->setup, setup)) FAIL(E_FORMAT, "%s: [service] setup is open or channel, not `%s`", path, out->setup);
    if (!one_of(out->profile, profiles)) FAIL(E_FORMAT, "%s: [service] profile: no profile is called `%s`", path, out->profile);
    if (rules_list_parse(&out->rules, out->rules_text).code) FAIL(E_FORMAT, "%s: [service] rules: the line above says what is wrong", path);
    if (limits_read(&out->spend).code) FAIL(E_FORMAT, "%s: the line above says what is wrong", path);
    if (!one_of(out->log_level, levels)) FAIL(E_FORMAT, "%s: [log] level is debug, info, warn or error", path);
    if (!one_of(out->disk_backend, backends)) FAIL(E_FORMAT, "%s: [disk] backend is auto, loop or luks", path);
    if (out->disk_dir[0] != '/') FAIL(E_FORMAT, "%s: [disk] dir must be an absolute path", path);
    if (out->disk_size % (64u << 10)) FAIL(E_FORMAT, "%s: [disk] size must be a multiple of 64K", path);
    if (!out->disk_size_max) out->disk_size_max = out->disk_size;
    if (out->disk_size_max < out->disk_size || out->disk_size_max % (64u << 10))
        FAIL(E_FORMAT, "%s: [disk] size_max must be a multiple of 64K, and not less than size", path);
    uint8_t id[32];
    if (out->service_id[0] && hex_to(id, 32, out->service_id, strlen(out->service_id)).code)
        FAIL(E_FORMAT, "%s: [service] id is 64 hex digits", path);
    uint8_t first[32];
    const bool by_hash = out->first_policy[0] && strcmp(out->first_policy, "open") != 0;
    if (by_hash && hex_to(first, 32, out->first_policy, strlen(out->first_policy)).code)
        FAIL(E_FORMAT, "%s: [policy] first is open, or 64 hex digits", path);
    if (by_hash) hex_from(out->first_policy, first, 32);
    uint8_t point[33];
    if (out->public_key[0] && hex_to(point, 33, out->public_key, strlen(out->public_key)).code)
        FAIL(E_FORMAT, "%s: [service] public_key is 66 hex digits", path);
    if (out->public_key[0]) hex_from(out->public_key, point, 33);
    if (out->service_id[0]) hex_from(out->service_id, id, 32);     /* one spelling, for comparing */
    /* The name goes into the genesis document between quotes: no character there may need escaping. */
    for (const char *p = out->service_name; *p; p++)
        if (*p < 0x20 || *p > 0x7e || *p == '"' || *p == '\\')
            FAIL(E_FORMAT, "%s: [service] name has a character that is not plain text", path);
    return OK;
}
