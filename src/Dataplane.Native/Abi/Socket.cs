namespace Dataplane.Native.Abi;

/// <summary>Constants of sockets and descriptors.</summary>
[KernelConstants("sys/socket.h", "fcntl.h")]
internal static class Socket
{
    internal const int AF_INET = 2;
    internal const int AF_PACKET = 17;
    internal const int AF_XDP = 44;

    internal const int SOCK_DGRAM = 2;
    internal const int SOCK_RAW = 3;
    internal const int SOCK_CLOEXEC = 0x80000;
    internal const int SOCK_NONBLOCK = 0x800;

    internal const int SOL_SOCKET = 1;
    internal const int SO_ERROR = 4;
    internal const int SO_SNDBUF = 7;
    internal const int SO_SNDBUFFORCE = 32;

    internal const int MSG_DONTWAIT = 0x40;

    internal const int O_RDONLY = 0;
    internal const int O_RDWR = 2;
    internal const int O_NONBLOCK = 0x800;
    internal const int O_CLOEXEC = 0x80000;
}
