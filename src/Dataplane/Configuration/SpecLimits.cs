namespace Dataplane.Configuration;

/// <summary>Every range and limit of the configuration, in one place for the reader, the validator and their tests.</summary>
internal static class SpecLimits
{
    public const int MaxPorts = Dataplane.Ports.PortId.MaxPorts;
    public const int MaxNextHops = 64;
    public const int MaxNameLength = 32;

    /// <summary>IFNAMSIZ less the terminating zero.</summary>
    public const int MaxInterfaceNameLength = 15;

    /// <summary>RFC 8200, section 5: no link that carries IPv6 may have less.</summary>
    public const int MinIpv6Mtu = 1280;

    public static IntRange Mtu => new("link MTU", 576, 9000);

    /// <summary>RFC 4861, 6.2.1.</summary>
    public static DurationRange AdvertisementInterval => new(TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(1800), "4s to 1800s");

    /// <summary>RFC 4861, 6.2.1: 0, or from the interval on.</summary>
    public static DurationRange RouterLifetime => new(TimeSpan.Zero, TimeSpan.FromSeconds(9000), "0s to 9000s");

    public static DurationRange DhcpLease => new(TimeSpan.FromSeconds(60), TimeSpan.FromDays(7), "60s to 604800s");

    /// <summary>24 bits; 0 is left out, which many take for "none".</summary>
    public static IntRange Vni => new("VXLAN network identifier", 1, 0xFF_FFFF);

    public const int MaxPeers = 1024;

    public static IntRange BridgeEntries => new("number of addresses", 64, 262_144);

    public static IntRange BridgeHosts => new("number of addresses", 1, 262_144);

    /// <summary>Frames or moves in a second.</summary>
    public static IntRange BridgeRate => new("number for each second", 0, 1_000_000);

    /// <summary>From IEEE 802.1Q, table 8-6; a day at most.</summary>
    public static DurationRange BridgeAgeing => new(TimeSpan.FromSeconds(10), TimeSpan.FromDays(1), "10s to 86400s");

    public static IntRange Vlan => new("VLAN identifier", 0, 4094);

    public static IntRange TransportPort => new("port", 1, ushort.MaxValue);

    public const string MaxLoadProblem = "is not a factor from 1 to 100 with two decimal places at most, such as 1.25";

    public const string ServicePortProblem = "is not a port from 1 to 65535, a range such as 8000-8100, or any";

    /// <summary>Shorter ones would take in addresses that no host has.</summary>
    public const int MinServicePrefixLength = 8;

    public static IntRange HopWeight => new("weight", 1, 255);

    public static IntRange BackendWeight => new("weight", 0, ushort.MaxValue);

    /// <summary>draft-ietf-quic-load-balancers-21, 3.1: 7 is what servers without a configuration write.</summary>
    public static IntRange QuicConfig => new("configuration number", 0, 6);

    public static IntRange ServerIdBytes => new("number of bytes", 1, 15);

    public static IntRange NonceBytes => new("number of bytes", 4, 18);

    /// <summary>What connection IDs of QUIC version 1 have room for behind the first byte.</summary>
    public const int MaxServerIdAndNonceBytes = 19;

    public static IntRange HealthPort => new("port, or 0 for the backend's own", 0, ushort.MaxValue);

    public static IntRange HttpStatus => new("HTTP status", 100, 599);

    public static IntRange Rise => new("number of checks", 1, 100);

    public static IntRange Panic => new("percentage", 0, 100);

    public static IntRange Passive => new("number of failures", 0, 1_000_000);

    public const int MaxHealthSendBytes = 512;
    public const int MaxHealthTextLength = 255;

    public static DurationRange HealthInterval => new(TimeSpan.FromMilliseconds(10), TimeSpan.FromHours(1), "10ms to 3600s");

    public static DurationRange HealthTimeout => new(TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(1), "10ms to 60s");

    public static DurationRange SlowStart => new(TimeSpan.Zero, TimeSpan.FromHours(1), "0 to 3600s");

    public static DurationRange Hold => new(TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), "1s to 86400s");

    public static DurationRange Affinity => new(TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), "1s to 86400s");

    public static DurationRange DrainDeadline => new(TimeSpan.FromSeconds(1), TimeSpan.FromDays(7), "1s to 604800s");

    public static IntRange TableSize => new("prime", 251, 5_000_011);

    public static IntRange SocketId => new("number", 0, uint.MaxValue);

    /// <summary>The first three are the standard streams; the kernel's own limit is fs.nr_open.</summary>
    public static IntRange Descriptor => new("descriptor number", 3, 1_048_576);

    public static IntRange WorkerCount => new("number of workers", 1, 16);

    public static IntRange Worker => new("number of a worker", 0, WorkerCount.Max - 1);

    /// <summary>As many as memif connections have; more than workers are of no use.</summary>
    public static IntRange Queues => new("number of queues", 1, 16);

    /// <summary>The CPUs that the C library's cpu_set_t has room for.</summary>
    public static IntRange Cpu => new("CPU number", 0, 1023);

    public static IntRange SpinMicroseconds => new("time in microseconds", 0, 1_000_000);

    public const string NatTimeoutProblem = "is not a time from 1s to 604800s (7 days) in whole milliseconds";

    /// <summary>Whether a flow may be idle for so many nanoseconds.</summary>
    public static bool IsNatTimeout(System.Numerics.BigInteger nanoseconds) =>
        nanoseconds >= 1_000_000_000 && nanoseconds <= 604_800_000_000_000 && nanoseconds % 1_000_000 == 0;

    public const string BitRateProblem = "is not a rate from 1kbit to 1000gbit";

    /// <summary>Bits per second.</summary>
    public static IntRange BitRate => new("rate in bits per second", 1_000, 1_000_000_000_000);

    /// <summary>A bucket must hold the longest frame of a network with the usual MTU, or nothing would pass.</summary>
    public static IntRange BurstBytes => new("number of bytes", 1_600, uint.MaxValue);

    public static IntRange FlowEntries => new("number of entries", 1024, 67_108_864);

    public static IntRange NeighbourEntries => new("number of entries", 64, 1_048_576);

    public static IntRange IcmpErrorsPerSecond => new("number", 0, 1_000_000);
}
