/* What init does for a role that asks: the way out, and the disk's privileged half. */
#include <string.h>

#include "core/io.h"
#include "core/link.h"
#include "core/log.h"
#include "core/mem.h"
#include "daemon/init.h"
#include "diskcrypt/image.h"

enum { FREEZE_LIMIT_MS = 10000, CONNECT_MS = 3000, MKFS_MS = 60000 };

static err done(const struct child *c, const struct msg *m)
{
    return msg_send(c->control, CTL_DONE, m->seq, NULL, 0, 5000);
}

static err give_answer(const struct child *c, const struct msg *m, uint8_t what, int fd)
{
    const uint8_t body[2] = { what, 0 };
    return msg_send_fd(c->control, CTL_GIVE, m->seq, body, sizeof body, fd);
}

/* fetch may have a way out, disk one to the store: the enclave has no other. What
 * the connection is for is said by the role itself, in the link's hello. */
static err on_want(struct init *in, struct child *c, const struct msg *m)
{
    struct rd r = rd_of(m->body, m->len);
    uint8_t what = rd_u8(&r), which = rd_u8(&r);
    TRY(rd_end(&r, "CTL_WANT"));
    bool may = (c->role == ROLE_FETCH && what == GIVE_EGRESS && which < EGRESS_RELAY_COUNT)
            || (c->role == ROLE_DISK && what == GIVE_PARENT && which == 0);
    if (!may) FAIL(E_STATE, "role %s asked for what it may not have (%u)", role_name(c->role), what);
    FD fd = -1;
    err e = fd_connect(&fd, in->config.parent_link, CONNECT_MS);
    if (e.code) return msg_send_error(c->control, m, e);
    if (what == GIVE_PARENT) fd_wide(fd);  /* sealed bytes; disk itself has no call for this */
    return give_answer(c, m, what, fd);
}

/* Everything of the old image goes before a new one is made. */
static err on_image_new(struct init *in, struct child *c, const struct msg *m)
{
    struct rd r = rd_of(m->body, m->len);
    uint64_t size = rd_u64(&r);
    TRY(rd_end(&r, "CTL_IMAGE_NEW"));
    image_close(&in->image);
    fd_close(&in->image_fd);
    err e = image_create(&in->image_fd, in->config.disk_dir, size);
    if (e.code) return msg_send_error(c->control, m, e);
    return give_answer(c, m, GIVE_IMAGE, in->image_fd);
}

static err grow(struct init *in, uint64_t size)
{
    if (!in->image || in->image_fd < 0) FAIL(E_STATE, "nothing is mounted");
    if (size > in->config.disk_size_max) FAIL(E_LIMIT, "a disk of %llu bytes is more than [disk] size_max", (unsigned long long)size);
    return image_grow(in->image, in->image_fd, size);
}

static err on_image_grow(struct init *in, struct child *c, const struct msg *m)
{
    struct rd r = rd_of(m->body, m->len);
    uint64_t size = rd_u64(&r);
    TRY(rd_end(&r, "CTL_IMAGE_GROW"));
    err e = grow(in, size);
    return e.code ? msg_send_error(c->control, m, e) : give_answer(c, m, GIVE_IMAGE, in->image_fd);
}

static err attach(struct init *in)
{
    if (in->image) return OK;
    if (in->image_fd < 0) FAIL(E_STATE, "no image yet");
    return image_attach(&in->image, in->image_fd);
}

/* Only what the configuration leaves open is decided by the kernel's abilities. */
static err start_volume(struct init *in, struct child *disk)
{
    if (strcmp(in->config.disk_backend, "loop") == 0) FAIL(E_STATE, "[disk] backend is loop");
    TRY(image_luks_possible());
    TRY(attach(in));
    return spawn_volume(in, disk, (unsigned)image_number(in->image));
}

static err on_volume(struct init *in, struct child *c, const struct msg *m)
{
    if (m->len) FAIL(E_FORMAT, "CTL_VOLUME takes no argument");
    err e = start_volume(in, c);
    return e.code ? msg_send_error(c->control, m, e) : done(c, m);
}

static err map(struct init *in)
{
    if (!in->image) FAIL(E_STATE, "nothing is attached");
    return image_map(in->image);
}

static err format(struct init *in)
{
    TRY(attach(in));
    return image_mkfs(in->image, MKFS_MS);
}

static err mount_it(struct init *in)
{
    char dir[CONFIG_PATH + 8];
    TRY(attach(in));
    TRY(init_mount_point(dir, sizeof dir, &in->config));
    uid_t book = (uid_t)(in->config.uid_base + ROLE_BOOK);
    return image_mount(in->image, dir, book, (gid_t)book, 0700);
}

static err fill(struct init *in)
{
    if (!in->image) FAIL(E_STATE, "nothing is mounted");
    return image_fill(in->image);
}

static err freeze(struct init *in)
{
    if (!in->image) FAIL(E_STATE, "nothing is mounted");
    return image_freeze(in->image, FREEZE_LIMIT_MS);
}

static err thaw(struct init *in)
{
    if (!in->image) FAIL(E_STATE, "nothing is mounted");
    return image_thaw(in->image);
}

/* The disk role asks for these without arguments: it cannot name a path or a device. */
static err disk_act(struct init *in, struct child *c, const struct msg *m, err (*act)(struct init *))
{
    if (m->len) FAIL(E_FORMAT, "frame %u takes no argument", m->type);
    err e = act(in);
    return e.code ? msg_send_error(c->control, m, e) : done(c, m);
}

static err on_disk(struct init *in, struct child *c, const struct msg *m)
{
    switch (m->type) {
    case CTL_IMAGE_NEW:    return on_image_new(in, c, m);
    case CTL_VOLUME:       return on_volume(in, c, m);
    case CTL_IMAGE_MAP:    return disk_act(in, c, m, map);
    case CTL_IMAGE_FORMAT: return disk_act(in, c, m, format);
    case CTL_IMAGE_GROW:   return on_image_grow(in, c, m);
    case CTL_IMAGE_FILL:   return disk_act(in, c, m, fill);
    case CTL_MOUNT:        return disk_act(in, c, m, mount_it);
    case CTL_FREEZE:       return disk_act(in, c, m, freeze);
    case CTL_THAW:         return disk_act(in, c, m, thaw);
    default: FAIL(E_FORMAT, "unexpected frame %u from disk", m->type);
    }
}

static err on_ready(struct init *in, struct child *c, const struct msg *m)
{
    if (c->ready || m->len) FAIL(E_STATE, "role %s says twice that it is ready", role_name(c->role));
    c->ready = true;
    if (role_table[c->role].flags & ROLE_ON_CALL) return OK;
    for (unsigned i = 0; i < in->count; i++)
        if (!in->children[i].ready) return OK;
    log_info("all %u roles are in their sandboxes", in->count);
    return OK;
}

static err on_serving(struct child *c, const struct msg *m)
{
    static const char *const words[PHASES] = {
        "starting", "no service yet: waiting for /setup", "deriving the master key", "restoring the disk", "serving", "waiting for the witnesses", "waiting for a grant", "handed over: another build goes on" };
    struct rd r = rd_of(m->body, m->len);
    uint8_t phase = rd_u8(&r);
    TRY(rd_end(&r, "CTL_SERVING"));
    if (c->role != ROLE_KEEPER || phase >= PHASES) FAIL(E_FORMAT, "role %s spoke of a phase", role_name(c->role));
    log_info("%s", words[phase]);
    return OK;
}

err init_serve(struct init *in, struct child *c)
{
    uint8_t room[64];
    struct msg m;
    TRY(msg_recv(c->control, &m, room, sizeof room, NULL, 5000));
    if (m.type == CTL_READY) return on_ready(in, c, &m);
    if (m.type == CTL_WANT) return on_want(in, c, &m);
    if (m.type == CTL_SERVING) return on_serving(c, &m);
    if (c->role == ROLE_DISK) return on_disk(in, c, &m);
    FAIL(E_FORMAT, "unexpected frame %u from %s", m.type, role_name(c->role));
}
