using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Dataplane.Native.Abi;

/// <summary>Request about an interface whose answer is a number (index, MTU), &lt;net/if.h&gt;.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("net/if.h", "struct ifreq")]
internal struct ifreq_int
{
    [KernelField("ifr_ifrn.ifrn_name")]
    public InterfaceName ifr_name;

    [KernelField("ifr_ifru.ifru_ivalue")]
    public int ifr_value;

    private readonly int _rest0;
    private readonly ulong _rest1;
    private readonly ulong _rest2;
}

/// <summary>Request about an interface whose answer is flags.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("net/if.h", "struct ifreq")]
internal struct ifreq_flags
{
    [KernelField("ifr_ifrn.ifrn_name")]
    public InterfaceName ifr_name;

    [KernelField("ifr_ifru.ifru_flags")]
    public short ifr_flags;

    private readonly short _rest0;
    private readonly int _rest1;
    private readonly ulong _rest2;
    private readonly ulong _rest3;
}

/// <summary>Request about an interface whose answer is its hardware address.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("net/if.h", "struct ifreq")]
internal struct ifreq_hwaddr
{
    [KernelField("ifr_ifrn.ifrn_name")]
    public InterfaceName ifr_name;

    [KernelField("ifr_ifru.ifru_hwaddr.sa_family")]
    public ushort sa_family;

    [KernelField("ifr_ifru.ifru_hwaddr.sa_data")]
    public Bytes14 sa_data;

    private readonly ulong _rest;
}

/// <summary>Request about an interface with a pointer to the matter, as SIOCETHTOOL takes it.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("net/if.h", "struct ifreq")]
internal struct ifreq_data
{
    [KernelField("ifr_ifrn.ifrn_name")]
    public InterfaceName ifr_name;

    [KernelField("ifr_ifru.ifru_data")]
    public nint ifr_data;

    private readonly ulong _rest0;
    private readonly ulong _rest1;
}

/// <summary>A question to a driver whose answer is one number, &lt;linux/ethtool.h&gt;.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("linux/ethtool.h")]
internal struct ethtool_value
{
    public uint cmd;
    public uint data;
}

/// <summary>Name of an interface, ended by a zero byte.</summary>
[InlineArray(Interface.IFNAMSIZ)]
internal struct InterfaceName
{
    private byte _first;
}

/// <summary>Fourteen bytes of a socket address.</summary>
[InlineArray(14)]
internal struct Bytes14
{
    private byte _first;
}

/// <summary>Constants of interfaces and their ioctls.</summary>
[KernelConstants("net/if.h", "net/if_arp.h", "sys/ioctl.h", "linux/sockios.h", "linux/ethtool.h", "sched.h")]
internal static class Interface
{
    internal const int IFNAMSIZ = 16;

    internal const uint SIOCGIFNAME = 0x8910;
    internal const uint SIOCGIFFLAGS = 0x8913;
    internal const uint SIOCSIFFLAGS = 0x8914;
    internal const uint SIOCGIFMTU = 0x8921;
    internal const uint SIOCSIFMTU = 0x8922;
    internal const uint SIOCSIFHWADDR = 0x8924;
    internal const uint SIOCGIFHWADDR = 0x8927;
    internal const uint SIOCGIFINDEX = 0x8933;
    internal const uint SIOCETHTOOL = 0x8946;
    internal const uint ETHTOOL_GLINK = 0x0000000A;
    internal const uint ETHTOOL_STXCSUM = 0x00000017;

    internal const short IFF_UP = 0x1;
    internal const short IFF_LOOPBACK = 0x8;
    internal const short IFF_RUNNING = 0x40;

    internal const ushort ARPHRD_ETHER = 1;
    internal const ushort ARPHRD_LOOPBACK = 772;

    internal const int CLONE_NEWNET = 0x40000000;
}

/// <summary>Constants of TUN/TAP devices.</summary>
[KernelConstants("sys/ioctl.h", "linux/if_tun.h")]
internal static class Tun
{
    internal const uint TUNSETIFF = 0x400454CA;
    internal const uint TUNSETPERSIST = 0x400454CB;
    internal const uint TUNGETFEATURES = 0x800454CF;
    internal const uint TUNSETOFFLOAD = 0x400454D0;
    internal const uint TUNGETIFF = 0x800454D2;
    internal const uint TUNGETVNETHDRSZ = 0x800454D7;
    internal const uint TUNSETVNETHDRSZ = 0x400454D8;
    internal const short IFF_TAP = 0x0002;
    internal const short IFF_MULTI_QUEUE = 0x0100;    // since 3.8
    internal const short IFF_NO_PI = 0x1000;
    internal const short IFF_VNET_HDR = 0x4000;

    internal const uint TUN_F_CSUM = 0x01;
    internal const uint TUN_F_TSO4 = 0x02;
    internal const uint TUN_F_TSO6 = 0x04;
    internal const uint TUN_F_TSO_ECN = 0x08;

    [SinceKernel("6.2")]
    internal const uint TUN_F_USO4 = 0x20;

    [SinceKernel("6.2")]
    internal const uint TUN_F_USO6 = 0x40;
}
