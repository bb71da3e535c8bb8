/* cmd_log_monitor.c - `holdfast log monitor`: does the log that a service shows only ever grow? */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/mem.h"
#include "parent/ask.h"
#include "parent/cmd_log.h"
#include "parent/file.h"
#include "parent/log_read.h"
#include "parent/say.h"
#include "policy/cosign.h"
#include "policy/witnesses.h"

enum { POLICY_FILE = 1 << 16, PATH = 4096 };

struct watch {
    const struct call *call;
    const char *state;
    struct log_keys keys;
    struct witnesses witnesses;
    bool has_witnesses;
};
/* A checkpoint as it came. */
struct seen { char text[NOTE_MAX + 1]; size_t n; struct note note; struct checkpoint at; };

static enum exits alarm_of(const struct watch *w, const char *hint, const char *what, const struct seen *before, const struct seen *now)
{
    JSON detail = json_pack("{s:b, s:I, s:I}", "alarm", 1, "size_before", before ? (json_int_t)before->at.size : (json_int_t)0, "size", (json_int_t)now->at.size);
    return say_failure(w->call, EXIT_REFUSED, &detail, hint, "ALARM: %s: %s", call_url(w->call), what);
}

/* The state of the last time; absent at first. */
static enum exits load(bool *there, struct seen *s, const struct watch *w)
{
    BYTES bytes = NULL;
    struct stat st;
    *there = false;
    if (stat(w->state, &st) != 0 && errno == ENOENT) return EXIT_DONE;
    err e = file_read(&bytes, &s->n, w->state, NOTE_MAX);
    if (!e.code) {
        memcpy(s->text, bytes, s->n);
        e = note_parse(&s->note, s->text, s->n);
    }
    if (!e.code) e = checkpoint_parse(&s->at, s->note.text, s->note.text_len);
    *there = !e.code;
    return e.code ? say_failure(w->call, EXIT_USAGE, NULL, "It is a checkpoint, as GET /log/checkpoint gives it. Without it nobody can tell whether the log was replaced.",
                                "%s is no state of this command: %s", w->state, err_text(e.code)) : EXIT_DONE;
}

/* In one step, and on the disk: a state that is lost is a rollback that nobody notices. */
static err keep(const struct seen *s, const char *path)
{
    char tmp[PATH];
    if ((size_t)snprintf(tmp, sizeof tmp, "%s.new", path) >= sizeof tmp) FAIL(E_LIMIT, "the path is too long");
    FD fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, s->text, s->n) != (ssize_t)s->n || fsync(fd) != 0) FAIL(E_IO, "writing %s", tmp);
    if (rename(tmp, path) != 0) FAIL(E_IO, "writing %s", path);
    char *slash = strrchr(tmp, '/');
    if (slash) slash[slash == tmp] = 0;
    FD dir = open(slash ? tmp : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || fsync(dir) != 0) FAIL(E_IO, "writing beside %s", path);
    return OK;
}

/* Who vouches for it? */
static enum exits check_signers(const struct watch *w, const struct seen *before, const struct seen *now)
{
    bool good = w->keys.count == 0, enough = false;
    for (size_t i = 0; i < w->keys.count && !good; i++) {
        uint64_t time;
        good = strcmp(w->keys.one[i].name, now->at.origin) == 0 && cosign_check(&time, &now->note, &w->keys.one[i]).code == E_OK;
    }
    if (!good) return alarm_of(w, "Another service, or a new epoch's key: `holdfast verify` tells which key is attested.", "its checkpoint is not signed by --vkey", before, now);
    if (!w->has_witnesses) return EXIT_DONE;
    if (witnesses_check(&enough, &w->witnesses, &now->note).code || !enough)
        return alarm_of(w, "Ask the witnesses what they have seen.", "the quorum of --witnesses has not cosigned its checkpoint", before, now);
    return EXIT_DONE;
}

static enum exits check_growth(const struct watch *w, const struct seen *before, const struct seen *now)
{
    static const char hint[] = "Keep the state file and what the service shows now: together they prove it. Tell the maintainers.";
    struct tlog_path proof = { .n = 0 };
    char query[64];
    if (strcmp(before->at.origin, now->at.origin) != 0) return alarm_of(w, hint, "it shows another log than before: begun anew, or another service", before, now);
    if (now->at.size < before->at.size) return alarm_of(w, hint, "its log is shorter than it was", before, now);
    if (before->at.size > 0 && now->at.size > before->at.size) {
        snprintf(query, sizeof query, "old=%" PRIu64 "&size=%" PRIu64, before->at.size, now->at.size);
        enum exits code = log_proof(w->call, &proof, query);
        if (code != EXIT_DONE) return code;
    }
    if (tlog_check_growth(&proof, before->at.size, before->at.root, now->at.size, now->at.root).code)
        return alarm_of(w, hint, now->at.size == before->at.size ? "its log has other entries than before" : "it cannot prove that its log begins with the one from before", before, now);
    return EXIT_DONE;
}

static enum exits say_good(const struct watch *w, bool first, const struct seen *before, const struct seen *now)
{
    JSON out = json_pack("{s:b, s:b, s:s, s:I, s:I}", "alarm", 0, "first", (int)first, "origin", now->at.origin, "size_before", first ? (json_int_t)0 : (json_int_t)before->at.size, "size", (json_int_t)now->at.size);
    if (w->call->json) return say_json(&out);
    if (first) printf("%s: %" PRIu64 " entries; this is where watching begins\n", now->at.origin, now->at.size);
    else printf("%s: %" PRIu64 " entries, %" PRIu64 " more than before; it only grew\n", now->at.origin, now->at.size, now->at.size - before->at.size);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
}

static void drop_seen(struct seen **s)
{
    free(*s);
}

static enum exits look(const struct watch *w)
{
    __attribute__((cleanup(drop_seen))) struct seen *both = calloc(2, sizeof *both);
    bool there = false;
    if (!both) return say_failure(w->call, EXIT_REFUSED, NULL, NULL, "no memory");
    struct seen *before = &both[0], *now = &both[1];
    enum exits code = load(&there, before, w);
    if (code == EXIT_DONE) code = log_checkpoint(w->call, now->text, &now->n, &now->note, &now->at);
    if (code == EXIT_DONE) code = check_signers(w, there ? before : NULL, now);
    if (code == EXIT_DONE && there) code = check_growth(w, before, now);
    if (code != EXIT_DONE) return code;
    if (keep(now, w->state).code) return say_failure(w->call, EXIT_REFUSED, NULL, "The line above says why.", "%s cannot be written", w->state);
    return say_good(w, !there, before, now);
}

enum exits log_monitor(const struct call *c)
{
    struct watch w = { .call = c, .state = call_value(c, "state") };
    const char *vkey = call_value(c, "vkey"), *witnesses = call_value(c, "witnesses");
    BYTES text = NULL;
    size_t n = 0;
    unsigned long long interval;
    if (!w.state) return say_failure(c, EXIT_USAGE, NULL, "It need not exist yet; keep it where the service's operator cannot write.", "log monitor: --state FILE is needed");
    if (c->operand_count > 1) return say_failure(c, EXIT_USAGE, NULL, NULL, "log monitor: too many words: %s", c->operands[1]);
    if (!call_number(&interval, c, "interval", 0, 1, 86400)) return EXIT_USAGE;
    if (vkey && log_keys_parse(&w.keys, vkey).code) return say_failure(c, EXIT_USAGE, NULL, NULL, "log monitor: --vkey takes the verifier key of a log");
    if (witnesses && (file_read(&text, &n, witnesses, POLICY_FILE).code || witnesses_parse(&w.witnesses, (const char *)text, n).code))
        return say_failure(c, EXIT_USAGE, NULL, NULL, "log monitor: --witnesses takes a trust policy file (c2sp.org/tlog-policy)");
    w.has_witnesses = witnesses != NULL;
    for (;;) {
        enum exits code = look(&w);
        /* Who watches goes on when the service cannot be reached: that is no alarm, and may end. */
        if (!interval || (code != EXIT_DONE && code != EXIT_REACH && code != EXIT_SERVER)) return code;
        nanosleep(&(struct timespec){ .tv_sec = (time_t)interval }, NULL);
    }
}
