// SPDX-License-Identifier: MIT
/*
 * What unix sockets are made of: the operations of the schemes uds_stream: (also seqpacket) and
 * uds_dgram: beyond open and close.
 *
 * OPEN of the scheme is socket(): args[1] is SOCK_STREAM, SOCK_SEQPACKET or SOCK_DGRAM (0: what the
 * scheme is for).  The file has a channel as its plane: everything about data is between kernel and
 * program.  OPEN of a listening socket with an empty path is accept(); it answers the peer's address.
 * OP_CHANNEL_INFO answers the names.  Addresses are struct sockaddr_un, of the length that counts.
 *
 * A name that is a path is proved by a handle that comes along: to bind, the node, opened with O_PATH
 * and owned by the caller; to connect and to send, the node opened for writing with FILE_SOCKET.
 */
#pragma once
#include <abi/scheme.h>

#define UDS_ADDRESS_MAX 110 /* struct sockaddr_un */

enum uds_op {
    UDS_BIND = OP_USER, /* data: address (only a family: an abstract name is made up); handle of a path */
    UDS_LISTEN, /* args[0] backlog */
    UDS_CONNECT, /* data: address; args[0] 1: don't wait for room in the backlog. AF_UNSPEC: a datagram socket's end */
    UDS_TARGET, /* datagram: data: address; reply.handle: what a message for it is sent to (MESSAGE_TO) */
    UDS_CREDENTIALS, /* answers struct ucred of the peer, when it connected or began to listen */
    UDS_STATE, /* result: enum uds_state */
};
enum uds_state { UDS_IDLE, UDS_LISTENING, UDS_CONNECTED };
