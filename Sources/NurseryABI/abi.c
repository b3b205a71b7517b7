// The layout, fixed at compile time as well: a change here is a change of HN_VERSION.
#include "nursery_abi.h"

_Static_assert(sizeof(struct hn_request) == 272 , "hn_request");
_Static_assert(sizeof(struct hn_reply) == 152, "hn_reply");
_Static_assert(sizeof(struct hp_message) == 152, "hp_message");
_Static_assert(sizeof(struct hp_spawn) == 344, "hp_spawn");
_Static_assert(offsetof(struct hn_request, name) == 72 && offsetof(struct hn_request, hostname) == 144, "hn_request");
_Static_assert(offsetof(struct hn_reply, tag) == 88, "hn_reply");
_Static_assert(offsetof(struct hp_message, target) == 88 && offsetof(struct hp_message, mount_key) == 80, "hp_message");
_Static_assert(offsetof(struct hp_spawn, rlimits) == 56, "hp_spawn");
