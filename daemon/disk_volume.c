/* Which back end the disk has, and the way to its mapping: disk hands the volume key to a
 * process that init starts for it (volume.c), and init takes the mapping over. */
#include <string.h>

#include "core/log.h"
#include "core/mem.h"
#include "daemon/disk.h"
#include "diskcrypt/luks_header.h"

enum { OPEN_MS = 60000, INIT_MS = 30000 };

/* The volume key stays here: this role has the seal key too, and a disk that grows needs the volume key again. */
static err volume_acts(struct disk *d, enum volume_act act)
{
    uint8_t head[37], room[16];
    struct wr w = wr_of(head, sizeof head);
    struct msg m;
    int volume = d->env->peer[ROLE_VOLUME];
    wr_u8(&w, (uint8_t)act);
    wr_bytes(&w, d->service_id, 32);
    wr_u32(&w, d->epoch);
    TRY(msg_send_secret(volume, VOLUME_OPEN, 0, head, sizeof head, d->volume_key, INIT_MS));
    TRY(msg_recv(volume, &m, room, sizeof room, NULL, OPEN_MS));
    if (m.type != VOLUME_OPENED || m.len) FAIL(E_FORMAT, "the volume process answered with frame %u", m.type);
    fd_close(&d->env->peer[ROLE_VOLUME]);
    return OK;
}

static err open_volume(struct disk *d, enum volume_act act)
{
    TRY(volume_acts(d, act));
    TRY(role_ask_init(d->env, CTL_IMAGE_MAP, NULL, 0, NULL, INIT_MS));
    memcpy(d->shown.backend, "luks", 5);
    return OK;
}

static bool configured(const struct disk *d, const char *word)
{
    return strcmp(d->env->config.disk_backend, word) == 0;
}

static void use_loop(struct disk *d)
{
    secret_drop(&d->volume_key);
    memcpy(d->shown.backend, "loop", 5);
}

err disk_volume_new(struct disk *d)
{
    if (configured(d, "loop")) {
        use_loop(d);
        return OK;
    }
    err e = role_ask_init(d->env, CTL_VOLUME, NULL, 0, NULL, INIT_MS);
    if (e.code == E_ABSENT && configured(d, "auto")) {
        log_info("no device-mapper here: the new disk is a plain one in memory, encrypted where it is stored");
        use_loop(d);
        return OK;
    }
    TRY(e);
    return open_volume(d, VOLUME_NEW);
}

err disk_volume_restored(struct disk *d)
{
    uint8_t first[8];
    TRY(d->image->read_at(d->image, first, sizeof first, 0));
    bool luks = luks_header_is(first, sizeof first);
    /* What the authentic image is decides; the configuration may only object. */
    if (luks ? configured(d, "loop") : configured(d, "luks"))
        FAIL(E_STATE, "this service's disk is %s, and [disk] backend is %s", luks ? "LUKS" : "a plain one", d->env->config.disk_backend);
    if (!luks) {
        use_loop(d);
        return OK;
    }
    TRY(role_ask_init(d->env, CTL_VOLUME, NULL, 0, NULL, INIT_MS));
    return open_volume(d, VOLUME_OLD);
}

err disk_volume_larger(struct disk *d)
{
    if (strcmp(d->shown.backend, "luks") != 0) return OK;
    TRY(role_ask_init(d->env, CTL_VOLUME, NULL, 0, NULL, INIT_MS));
    return volume_acts(d, VOLUME_LARGER);
}
