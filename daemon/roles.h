/* roles.h - the bodies of the roles, and the system calls each keeps (calls.c). */
#ifndef DAEMON_ROLES_H
#define DAEMON_ROLES_H
#include "daemon/role.h"

err web_warm_up(struct role_env *env);      err web_main(struct role_env *env);
err fetch_warm_up(struct role_env *env);    err fetch_main(struct role_env *env);
err keeper_warm_up(struct role_env *env);   err keeper_main(struct role_env *env);
err judge_warm_up(struct role_env *env);    err judge_main(struct role_env *env);
err sign_warm_up(struct role_env *env);     err sign_main(struct role_env *env);
err disk_warm_up(struct role_env *env);     err disk_main(struct role_env *env);
err book_warm_up(struct role_env *env);     err book_main(struct role_env *env);
                                            err volume_main(struct role_env *env);
                                            err trial_main(struct role_env *env);   /* judge.c */

/* Run the enclave until it ends. Returns its exit status: 0 after SIGTERM and a
 * durable last seal; the status of the role whose death ended it; 64 + err_code. */
int init_run(const char *config_path);

extern const int calls_init[], calls_web[], calls_fetch[], calls_keeper[], calls_judge[],
                 calls_sign[], calls_disk[], calls_book[], calls_volume[];
extern const int calls_refused[], calls_refused_volume[];

#endif
