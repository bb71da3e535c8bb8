/* volume: started for one act, and gone after it: it makes or checks the LUKS header on the disk's
 * loop device, and opens the mapping, or makes it as large as a disk that grew. The only process that has the volume key and a privilege
 * together; it gets no other key and no byte of a client's, and lives for a fraction of a second. */
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "core/mem.h"
#include "daemon/roles.h"
#include "daemon/wire.h"
#include "diskcrypt/image.h"
#include "diskcrypt/luks.h"

enum { ASKED_MS = 30000 };

err volume_main(struct role_env *env)
{
    SECRET key = NULL;
    uint8_t head[37];
    char device[32], name[IMAGE_MAP_NAME];
    struct luks_owner owner;
    int disk = env->peer[ROLE_DISK];
    TRY(msg_recv_secret(disk, VOLUME_OPEN, head, sizeof head, &key, LUKS_KEY, ASKED_MS));
    struct rd r = rd_of(head, sizeof head);
    uint8_t act = rd_u8(&r);
    rd_copy(&r, owner.service_id, 32);
    owner.epoch = rd_u32(&r);
    TRY(rd_end(&r, "VOLUME_OPEN"));
    if (act >= VOLUME_ACTS) FAIL(E_FORMAT, "VOLUME_OPEN asks for something unknown");
    /* init names the device by our instance number: we cannot be sent to another kind of path. */
    snprintf(device, sizeof device, "/dev/loop%u", env->instance);
    image_map_name(name, (int)env->instance);
    if (act == VOLUME_NEW) TRY(luks_format(device, key, &owner));
    if (act == VOLUME_LARGER) TRY(luks_resize(device, name, key, &owner));
    else TRY(luks_open(device, name, key, &owner));
    secret_drop(&key);
    return msg_send(disk, VOLUME_OPENED, 0, NULL, 0, 5000);
}
