/* paper_sign.c - sign a document with the key that a maintainer has: ssh-keygen does it, or whatever signs his Nostr events.
 *
 * What is signed is what was parsed and shown, from memory: a file that changes meanwhile changes nothing. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/mem.h"
#include "parent/paper.h"
#include "parent/say.h"
#include "policy/nostr.h"
#include "policy/sshsig.h"

enum { PATH = 4096 };

/* The bytes, to be read from their beginning. */
static int bytes_fd(const struct paper *p)
{
    FD fd = memfd_create("document", MFD_CLOEXEC);
    if (fd < 0 || write(fd, p->bytes, p->n) != (ssize_t)p->n || lseek(fd, 0, SEEK_SET) != 0) return -1;
    return take_fd(&fd);
}

static void keygen(int in, int out, const char *key, const char *name_space)
{
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0) _exit(126);
    execlp("ssh-keygen", "ssh-keygen", "-Y", "sign", "-n", name_space, "-f", key, (char *)NULL);
    _exit(127);
}

/* Run ssh-keygen with the document as its standard input; what it says goes to standard error, and it asks for a
 * passphrase or a touch at the terminal. Out: signature, its length; or the exit status that it ended with. */
static int run_keygen(char out[static SSHSIG_MAX + 1], size_t *n, const struct paper *p, const char *key)
{
    FD in = bytes_fd(p), result = memfd_create("signature", MFD_CLOEXEC);
    int status = 0;
    if (in < 0 || result < 0) return 126;
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) keygen(in, result, key, document_namespace(p->d.kind));
    if (child < 0) return 126;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return 126;
    if (!WIFEXITED(status) || WEXITSTATUS(status)) return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
    const ssize_t got = pread(result, out, SSHSIG_MAX + 1, 0);
    *n = got < 0 ? 0 : (size_t)got;
    return 0;
}

static enum exits write_new(const struct call *c, const char *path, const char *text, size_t n)
{
    FD fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 && errno == EEXIST) return say_failure(c, EXIT_REFUSED, NULL, "Name another with --out, such as one with your name in it.", "%s is there already; nothing was written", path);
    if (fd < 0 || write(fd, text, n) != (ssize_t)n || fsync(fd) != 0) return say_failure(c, EXIT_REFUSED, NULL, NULL, "%s cannot be written: %s", path, strerror(errno));
    return EXIT_DONE;
}

/* A key of another kind, or a wrong answer, must not be found out by the others only. */
static enum exits check_own(struct sshsig *s, const struct call *c, const struct paper *p, const char *text, size_t n)
{
    const char *why = sshsig_parse(s, text, n);
    if (!why && sshsig_check(&why, s, document_namespace(p->d.kind), &(struct sshsig_message){ p->d.hash, p->d.hash512 }).code) why = "no memory";
    if (!why) return EXIT_DONE;
    return say_failure(c, EXIT_REFUSED, NULL, "Use an Ed25519 key, or one in a security key (ssh-keygen -t ed25519, -t ed25519-sk).", "the signature cannot be used: %s", why);
}

static enum exits by_ssh(const struct call *c, const struct paper *p, const char *key, const char *path)
{
    char text[SSHSIG_MAX + 1], own[PATH], who[MAINTAINER_TEXT];
    size_t n = 0;
    struct sshsig s;
    struct wr w = wr_of(who, sizeof who - 1);
    const char *out = call_value(c, "out");
    if (!out && (size_t)snprintf(own, sizeof own, "%s.sig", path) >= sizeof own) return say_failure(c, EXIT_USAGE, NULL, NULL, "the path is too long");
    if (!out) out = own;
    if (access(out, F_OK) == 0) return say_failure(c, EXIT_REFUSED, NULL, "Name another with --out, such as one with your name in it.", "%s is there already; nothing was signed", out);
    if (!c->json) paper_say(p);
    const int status = run_keygen(text, &n, p, key);
    if (status)
        return say_failure(c, EXIT_REFUSED, NULL, status == 127 ? "Install OpenSSH's client (8.2 or later)." : "What ssh-keygen said stands above.",
                           status == 127 ? "ssh-keygen could not be started (%d)" : "ssh-keygen ended with %d; nothing was written", status);
    enum exits code = check_own(&s, c, p, text, n);
    if (code == EXIT_DONE) code = write_new(c, out, text, n);
    if (code != EXIT_DONE) return code;
    maintainer_write(&w, &s.who);
    who[w.len] = 0;
    JSON told = json_pack("{s:s, s:s, s:o}", "signature", out, "key", who, "document", paper_json(p));
    if (c->json) return say_json(&told);
    printf("%-24s %s\n%-24s %s\n", "signed by", who, "signature", out);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
}

/* Without a key: what to do with one. The template is what a signer of events (NIP-07, NIP-46) takes. */
static enum exits tell_how(const struct call *c, const struct paper *p, const char *path)
{
    char content[NOSTR_CONTENT + 1];
    nostr_content(content, document_type(p->d.kind), p->d.hash);
    JSON event = json_pack("{s:I, s:[], s:s}", "kind", (json_int_t)document_event(p->d.kind), "tags", "content", content);
    JSON told = json_pack("{s:[s,s,s,s,s,s,s,s], s:O, s:o}", "ssh", "ssh-keygen", "-Y", "sign", "-n", document_namespace(p->d.kind), "-f", "KEY", path,
                          "nostr", event, "document", paper_json(p));
    if (c->json) return say_json(&told);
    paper_say(p);
    printf("\nTo sign these bytes with an SSH key (or let --key FILE do it):\n  ssh-keygen -Y sign -n %s -f KEY %s\n\nTo sign them as a Nostr event, have this signed, and keep the whole event as a file:\n  ",
           document_namespace(p->d.kind), path);
    return say_json(&event);
}

enum exits paper_sign(const struct call *c, const char *path)
{
    PAPER p = { 0 };
    const char *key = call_value(c, "key");
    enum exits code = paper_load(&p, c, path, paper_kind(c));
    if (code != EXIT_DONE) return code;
    return key ? by_ssh(c, &p, key, path) : tell_how(c, &p, path);
}
