// syscalls: socket sendto recvfrom
using System.Buffers.Binary;
using Dataplane.Native.Abi;
using static Dataplane.Native.Abi.Netlink;
using Socket = Dataplane.Native.Abi.Socket;

namespace Dataplane.Native;

/// <summary>Asks the kernel what the drivers of a network namespace's interfaces can do with XDP (the netdev family of generic netlink, since 6.3).</summary>
/// <remarks>One thread at a time. The socket belongs to the namespace it was opened in, whatever thread uses it later.</remarks>
internal sealed unsafe class XdpFeatures : IDisposable
{
    // linux/genetlink.h and linux/netdev.h, the second of which few systems install.
    private const int NETLINK_GENERIC = 16, GENL_ID_CTRL = 16;
    private const byte CTRL_CMD_GETFAMILY = 3, NETDEV_CMD_DEV_GET = 1;
    private const ushort CTRL_ATTR_FAMILY_ID = 1, CTRL_ATTR_FAMILY_NAME = 2, NETDEV_A_DEV_IFINDEX = 1, NETDEV_A_DEV_XDP_FEATURES = 3;
    private const ulong NETDEV_XDP_ACT_NDO_XMIT = 4;
    private const int NetlinkHeaderBytes = 16, GenericHeaderBytes = 4, BufferBytes = 8192;

    private readonly FileDescriptor _socket;
    private readonly byte[] _buffer = new byte[BufferBytes];
    private uint _sequence;
    private ushort _family;

    private XdpFeatures(FileDescriptor socket) => _socket = socket;

    /// <summary>Opens a socket in the thread's namespace.</summary>
    /// <exception cref="LinuxException">No descriptor is left.</exception>
    internal static XdpFeatures Open()
    {
        int fd = Libc.Socket(AF_NETLINK, Socket.SOCK_RAW | Socket.SOCK_CLOEXEC, NETLINK_GENERIC);
        return fd >= 0 ? new XdpFeatures(new FileDescriptor(fd)) : throw LinuxException.FromLastError("socket(AF_NETLINK, NETLINK_GENERIC)");
    }

    /// <summary>Whether an interface sends frames that XDP programs redirect to it; false when the kernel does not know, or the interface is gone.</summary>
    /// <remarks>A veth interface does while its other end takes them: with generic receive offload on, or an XDP program of its own.</remarks>
    internal bool CanTransmit(int interfaceIndex)
    {
        if (_family == 0)
        {
            ReadOnlySpan<byte> id = Ask(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, "netdev\0"u8, CTRL_ATTR_FAMILY_ID);
            _family = id.Length >= sizeof(ushort) ? BinaryPrimitives.ReadUInt16LittleEndian(id) : (ushort)0;
            if (_family == 0)
                return false;
        }

        ReadOnlySpan<byte> features = Ask(_family, NETDEV_CMD_DEV_GET, NETDEV_A_DEV_IFINDEX, BitConverter.GetBytes(interfaceIndex), NETDEV_A_DEV_XDP_FEATURES);
        return features.Length >= sizeof(ulong) && (BinaryPrimitives.ReadUInt64LittleEndian(features) & NETDEV_XDP_ACT_NDO_XMIT) != 0;
    }

    /// <summary>Closes the socket.</summary>
    public void Dispose() => _socket.Dispose();

    /// <summary>Asks for one thing, of which one attribute is wanted.</summary>
    /// <returns>Its value; empty when the kernel refuses.</returns>
    private ReadOnlySpan<byte> Ask(ushort type, byte command, ushort attribute, ReadOnlySpan<byte> value, ushort wanted)
    {
        var message = new NetlinkMessage(type, NLM_F_REQUEST, ++_sequence);
        message.Add([command, 1, 0, 0]);
        message.AddAttribute(attribute, value);
        ReadOnlySpan<byte> bytes = message.Finish();
        fixed (byte* first = bytes)
        {
            if (Libc.Sendto(_socket.Number, first, (nuint)bytes.Length, 0, null, 0) != bytes.Length)
                return default;
        }

        // The kernel answers within the call that asks: either an answer or an error is there.
        while (true)
        {
            nint length;
            fixed (byte* first = _buffer)
                length = Libc.Recvfrom(_socket.Number, first, BufferBytes, Socket.MSG_DONTWAIT, null, null);
            if (length < NetlinkHeaderBytes)
                return default;
            ReadOnlySpan<byte> answer = _buffer.AsSpan(0, (int)length);
            if (NetlinkMessage.SequenceOf(answer) != _sequence)
                continue;
            ReadOnlySpan<byte> body = NetlinkMessage.BodyOf(answer);
            return NetlinkMessage.TypeOf(answer) == NLMSG_ERROR || body.Length < GenericHeaderBytes ? default : NetlinkMessage.Find(body[GenericHeaderBytes..], wanted);
        }
    }
}
