// syscalls: bind getsockopt setsockopt
using Dataplane.Native.Abi;

namespace Dataplane.Native;

/// <summary>Options of AF_XDP sockets; after false, the reason is the last error.</summary>
internal static unsafe class XdpSocketOption
{
    internal static bool TrySet<T>(FileDescriptor socket, int level, int option, T value)
        where T : unmanaged => Libc.Setsockopt(socket.Number, level, option, &value, (uint)sizeof(T)) == 0;

    internal static bool TryGet(FileDescriptor socket, int option, void* value, ref uint bytes)
    {
        fixed (uint* size = &bytes)
            return Libc.Getsockopt(socket.Number, Xdp.SOL_XDP, option, value, size) == 0;
    }

    internal static bool TryBind(FileDescriptor socket, void* address, int addressBytes) => Libc.Bind(socket.Number, address, (uint)addressBytes) == 0;
}
