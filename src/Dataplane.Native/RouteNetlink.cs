// syscalls: socket sendto recvfrom
using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Dataplane.Native.Abi;
using static Dataplane.Native.Abi.Netlink;
using Socket = Dataplane.Native.Abi.Socket;

namespace Dataplane.Native;

/// <summary>Addresses, routes and links of one network namespace, by rtnetlink(7).</summary>
/// <remarks>One thread at a time. The socket belongs to the namespace it was opened in, whatever thread uses it later.</remarks>
internal sealed unsafe class RouteNetlink : IDisposable
{
    private const int HeaderBytes = 16;
    private const int BufferBytes = 64 << 10;

    private readonly FileDescriptor _socket;
    private readonly byte[] _buffer = new byte[BufferBytes];
    private uint _sequence;

    private RouteNetlink(FileDescriptor socket) => _socket = socket;

    /// <summary>Opens a socket in a namespace.</summary>
    /// <param name="networkNamespace">Null for the current one; a name as in <c>ip netns list</c>; or a path.</param>
    /// <exception cref="LinuxException">The namespace cannot be entered.</exception>
    public static RouteNetlink Open(string? networkNamespace = null) => NamespaceThread.Run(networkNamespace, static () =>
    {
        int fd = Libc.Socket(AF_NETLINK, Socket.SOCK_RAW | Socket.SOCK_CLOEXEC, NETLINK_ROUTE);
        return fd >= 0 ? new RouteNetlink(new FileDescriptor(fd)) : throw LinuxException.FromLastError("socket(AF_NETLINK)");
    });

    /// <summary>Gives an interface an address; one that it has stays. IPv6 addresses are usable at once: nobody else has them, so nobody is asked.</summary>
    /// <exception cref="LinuxException">No such interface, IPv6 is switched off there, or CAP_NET_ADMIN is missing.</exception>
    public void AddAddress(int interfaceIndex, IPAddress address, int prefixLength)
    {
        NetlinkMessage message = Begin(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
        byte flags = address.AddressFamily == AddressFamily.InterNetworkV6 ? IFA_F_NODAD : (byte)0;
        message.Add([FamilyOf(address), (byte)prefixLength, flags, RT_SCOPE_UNIVERSE]);
        message.Add(interfaceIndex);
        message.AddAttribute(IFA_LOCAL, address.GetAddressBytes());
        message.AddAttribute(IFA_ADDRESS, address.GetAddressBytes());
        Demand(message, "rtnetlink(RTM_NEWADDR)", $"{address}/{prefixLength}");
    }

    /// <summary>Adds a route, or replaces the one for the same destination.</summary>
    /// <param name="destination">First address of the destination; all zeroes with length 0 for the default route.</param>
    /// <param name="prefixLength">Its length.</param>
    /// <param name="gateway">Null: destinations are on the link itself.</param>
    /// <param name="interfaceIndex">Where it leads.</param>
    /// <param name="table">Routing table it is in.</param>
    /// <exception cref="LinuxException">The gateway is not reachable by that interface, or CAP_NET_ADMIN is missing.</exception>
    public void AddRoute(IPAddress destination, int prefixLength, IPAddress? gateway, int interfaceIndex, byte table = RT_TABLE_MAIN) =>
        Demand(
            RouteMessage(RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, destination, prefixLength, gateway, interfaceIndex, table),
            "rtnetlink(RTM_NEWROUTE)", $"{destination}/{prefixLength}");

    /// <summary>Removes a route; one that is not there is no error.</summary>
    /// <exception cref="LinuxException">CAP_NET_ADMIN is missing.</exception>
    public void RemoveRoute(IPAddress destination, int prefixLength, int interfaceIndex, byte table = RT_TABLE_MAIN)
    {
        int errno = Execute(RouteMessage(RTM_DELROUTE, NLM_F_ACK, destination, prefixLength, null, interfaceIndex, table));
        if (errno is not (0 or Errno.ESRCH or Errno.ENODEV))
            throw new LinuxException(errno, "rtnetlink(RTM_DELROUTE)", $"{destination}/{prefixLength}");
    }

    /// <summary>Makes two interfaces that are joined by a wire (veth(4)), both or none: one here, its peer in another namespace. When one goes, both do.</summary>
    /// <param name="name">The one here.</param>
    /// <param name="peerName">The one there.</param>
    /// <param name="peerNamespace">The namespace of the peer: a name or a path.</param>
    /// <param name="peerAddress">Its hardware address, 6 bytes.</param>
    /// <param name="mtuBytes">Largest layer 3 packet of both.</param>
    /// <exception cref="LinuxException">A name is taken, the kernel has no veth, or CAP_NET_ADMIN is missing.</exception>
    public void AddPair(string name, string peerName, string peerNamespace, ReadOnlySpan<byte> peerAddress, int mtuBytes)
    {
        using FileDescriptor there = NamespaceFile.Open(peerNamespace);
        NetlinkMessage message = Begin(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
        AddLink(message, name, mtuBytes);
        int info = message.BeginAttribute(IFLA_LINKINFO);
        message.AddAttribute(IFLA_INFO_KIND, "veth"u8);
        int data = message.BeginAttribute(IFLA_INFO_DATA), peer = message.BeginAttribute(VETH_INFO_PEER);
        AddLink(message, peerName, mtuBytes);
        message.AddAttribute(IFLA_ADDRESS, peerAddress);
        message.AddAttribute(IFLA_NET_NS_FD, BitConverter.GetBytes(there.Number));
        message.EndAttribute(peer);
        message.EndAttribute(data);
        message.EndAttribute(info);
        Demand(message, "rtnetlink(RTM_NEWLINK)", $"{name} and {peerName} in {peerNamespace}");
    }

    /// <summary>Adds what both ends begin with: struct ifinfomsg without flags, name and size.</summary>
    private static void AddLink(NetlinkMessage message, string name, int mtuBytes)
    {
        for (int word = 0; word < 4; word++)
            message.Add(0);
        message.AddAttribute(IFLA_IFNAME, [.. System.Text.Encoding.UTF8.GetBytes(name), 0]);
        message.AddAttribute(IFLA_MTU, BitConverter.GetBytes(mtuBytes));
    }

    /// <summary>Removes an interface; one that is not there is no error.</summary>
    /// <exception cref="LinuxException">It cannot be removed, or CAP_NET_ADMIN is missing.</exception>
    public void RemoveLink(int interfaceIndex)
    {
        NetlinkMessage message = Begin(RTM_DELLINK, NLM_F_ACK);
        message.Add(0);
        message.Add(interfaceIndex);
        message.Add(0);
        message.Add(0);
        int errno = Execute(message);
        if (errno is not (0 or Errno.ENODEV))
            throw new LinuxException(errno, "rtnetlink(RTM_DELLINK)", $"interface {interfaceIndex}");
    }

    /// <summary>Destinations of the main table's routes of both families, default routes left out.</summary>
    /// <exception cref="LinuxException">The kernel refused to answer.</exception>
    public IReadOnlyList<(IPAddress Destination, int PrefixLength)> ReadRoutes()
    {
        var result = new List<(IPAddress, int)>();
        foreach (byte family in (ReadOnlySpan<byte>)[Netlink.AF_INET, AF_INET6])
        {
            NetlinkMessage message = Begin(RTM_GETROUTE, NLM_F_DUMP);
            message.Add([family, 0, 0, 0, 0, 0, 0, 0]);
            message.Add(0);
            Dump(message, "rtnetlink(RTM_GETROUTE)", (type, body) =>
            {
                const int RouteBytes = 12;
                bool isCopy = (BinaryPrimitives.ReadUInt32LittleEndian(body[8..]) & RTM_F_CLONED) != 0;
                ReadOnlySpan<byte> destination = type == RTM_NEWROUTE ? NetlinkMessage.Find(body[RouteBytes..], RTA_DST) : default;
                if (body[4] == RT_TABLE_MAIN && body[1] > 0 && !isCopy && destination.Length is 4 or 16)
                    result.Add((new IPAddress(destination), body[1]));
            });
        }

        return result;
    }

    /// <summary>Addresses of an interface, or of all.</summary>
    /// <param name="interfaceIndex">Number of the interface; 0: all.</param>
    /// <exception cref="LinuxException">The kernel refused to answer.</exception>
    public IReadOnlyList<(IPAddress Address, int PrefixLength)> ReadAddresses(int interfaceIndex = 0)
    {
        var result = new List<(IPAddress, int)>();
        NetlinkMessage message = Begin(RTM_GETADDR, NLM_F_DUMP);
        message.Add(0);
        message.Add(0);
        Dump(message, "rtnetlink(RTM_GETADDR)", (type, body) =>
        {
            const int AddressBytes = 8;
            if (type != RTM_NEWADDR || (interfaceIndex != 0 && BinaryPrimitives.ReadInt32LittleEndian(body[4..]) != interfaceIndex))
                return;
            ReadOnlySpan<byte> address = NetlinkMessage.Find(body[AddressBytes..], IFA_LOCAL);
            if (address.IsEmpty)
                address = NetlinkMessage.Find(body[AddressBytes..], IFA_ADDRESS);
            if (address.Length is 4 or 16)
                result.Add((new IPAddress(address), body[1]));
        });
        return result;
    }

    /// <summary>Closes the socket.</summary>
    public void Dispose() => _socket.Dispose();

    private NetlinkMessage RouteMessage(ushort type, int flags, IPAddress destination, int prefixLength, IPAddress? gateway, int interfaceIndex, byte table)
    {
        NetlinkMessage message = Begin(type, (ushort)flags);
        byte scope = type == RTM_DELROUTE ? RT_SCOPE_NOWHERE : gateway is null ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
        message.Add([FamilyOf(destination), (byte)prefixLength, 0, 0, table, type == RTM_DELROUTE ? (byte)0 : RTPROT_STATIC, scope,
            type == RTM_DELROUTE ? (byte)0 : RTN_UNICAST]);
        message.Add(0);
        if (prefixLength > 0)
            message.AddAttribute(RTA_DST, destination.GetAddressBytes());
        if (gateway is not null)
            message.AddAttribute(RTA_GATEWAY, gateway.GetAddressBytes());
        message.AddAttribute(RTA_OIF, BitConverter.GetBytes(interfaceIndex));
        return message;
    }

    private static byte FamilyOf(IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6 ? AF_INET6 : Netlink.AF_INET;

    private NetlinkMessage Begin(ushort type, int flags) => new(type, (ushort)(NLM_F_REQUEST | flags), ++_sequence);

    private void Demand(NetlinkMessage message, string call, string subject)
    {
        int errno = Execute(message);
        if (errno != 0)
            throw new LinuxException(errno, call, subject);
    }

    /// <summary>Sends a request and waits for its acknowledgement, which the kernel has ready when the request has been carried out.</summary>
    /// <returns>0, or the error number.</returns>
    private int Execute(NetlinkMessage message)
    {
        Send(message);
        while (true)
        {
            for (ReadOnlySpan<byte> rest = Receive(); rest.Length >= HeaderBytes; rest = NetlinkMessage.Skip(rest))
            {
                if (NetlinkMessage.TypeOf(rest) == NLMSG_ERROR && NetlinkMessage.SequenceOf(rest) == _sequence)
                    return -BinaryPrimitives.ReadInt32LittleEndian(rest[HeaderBytes..]);
            }
        }
    }

    private void Dump(NetlinkMessage message, string call, Visitor visit)
    {
        Send(message);
        while (true)
        {
            for (ReadOnlySpan<byte> rest = Receive(); rest.Length >= HeaderBytes; rest = NetlinkMessage.Skip(rest))
            {
                ushort type = NetlinkMessage.TypeOf(rest);
                if (NetlinkMessage.SequenceOf(rest) != _sequence)
                    continue;
                if (type == NLMSG_DONE)
                    return;
                if (type == NLMSG_ERROR)
                    throw new LinuxException(-BinaryPrimitives.ReadInt32LittleEndian(rest[HeaderBytes..]), call);
                visit(type, NetlinkMessage.BodyOf(rest));
            }
        }
    }

    private void Send(NetlinkMessage message)
    {
        ReadOnlySpan<byte> bytes = message.Finish();
        fixed (byte* first = bytes)
        {
            if (Libc.Sendto(_socket.Number, first, (nuint)bytes.Length, 0, null, 0) != bytes.Length)
                throw LinuxException.FromLastError("sendto(AF_NETLINK)");
        }
    }

    private ReadOnlySpan<byte> Receive()
    {
        fixed (byte* first = _buffer)
        {
            nint length;
            do
            {
                length = Libc.Recvfrom(_socket.Number, first, BufferBytes, 0, null, null);
            }
            while (length < 0 && System.Runtime.InteropServices.Marshal.GetLastPInvokeError() == Errno.EINTR);
            return length > 0 ? _buffer.AsSpan(0, (int)length) : throw LinuxException.FromLastError("recvfrom(AF_NETLINK)");
        }
    }

    private delegate void Visitor(ushort type, ReadOnlySpan<byte> body);
}
