using Dataplane.Balancing;
using Dataplane.Bridging;
using Dataplane.Filtering;
using Dataplane.Health;
using Dataplane.Nat;
using Dataplane.Native;
using Dataplane.Overlays;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Routing;
using Dataplane.Switching;
using Dataplane.Tracking;
using Dataplane.Tunnels;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Configuration;

/// <summary>Makes specifications by chance, the same ones for the same seed.</summary>
/// <remarks>
/// Readable ones hold only what a file can say: any text, every value in its range, nothing said twice; they need not make sense as a whole.
/// Wild ones hold whatever code can put in: nulls, numbers cast to enumerations, empty addresses.
/// </remarks>
internal sealed class RandomSpecs(int seed, bool isWild)
{
    private static readonly string[] s_texts =
    [
        "wan", "lan", "eth0.100", "no", "null", "~", "true", "1e3", "22:22", "0x10", "-", "a b", "#x", "it's", "\"q\"", "\\", "a: b", "{x}", "[y", "&a",
        "*a", "!t", "%d", "@", "`", "x\ny", "\t", " lead", "trail ", "ü", "日本", "😀", "a,b", "?", ":", "::", "a:", "/run/x.sock", "\u0085",
        "\u2028", "\uFEFF", "\u0001", "y",
    ];

    private static readonly string[] s_names =
        ["wan", "lan", "eth0.100", "no", "null", "true", "1e3", "0x10", "-", "y", "1.10", "2026-01-02", "a_b", "_", "-.-", "a."];

    private readonly Random _random = new(seed);

    public static Arbitrary<int> Seeds => Gen.Choose(int.MinValue, int.MaxValue).ToArbitrary();

    public DataplaneSpec Next()
    {
        int workers = 1;
        return Next(ref workers);
    }

    private DataplaneSpec Next(ref int workers) => new()
    {
        Ports = Nameable(List(4, i => Port(i))),
        Interfaces = Maybe(List(3, _ => new InterfaceSpec { Port = Needed(), Address = Prefix(), Mac = Null(Mac()), Vlan = In(0, 4094) }))!,
        Neighbours = Maybe(List(3, _ => new NeighbourSpec { Port = Needed(), Address = Address(), Mac = Mac(), Learned = Coin(), Vlan = In(0, 4094) }))!,
        Routes = Maybe(List(4, _ => Route()))!,
        Filter = Maybe(new FilterSpec { Default = Pick<FilterAction>(), PickUp = In(0, 1) == 1, Rules = Maybe(List(4, _ => Rule()))! })!,
        Nat = Maybe(List(3, _ => Nat()))!,
        Services = Maybe(List(3, _ => Service()))!,
        Siit = Coin() ? null : new Dataplane.Nat64.SiitSpec
        {
            Prefix = Prefix(),
            Mappings = Maybe(List(3, _ => new Dataplane.Nat64.SiitMappingSpec { V4 = Prefix(), V6 = Prefix(), Hosts = (Dataplane.Nat64.SiitHosts)In(0, 1) }))!,
            RouterAddresses = Maybe<IReadOnlyList<IpAddress>>([.. Enumerable.Range(0, _random.Next(3)).Select(_ => Address())])!,
            DropUdpWithoutChecksum = Coin(),
        },
        Encapsulation = Maybe(Encapsulation())!,
        Networks = Maybe(List(3, _ => Network()))!,
        Bridges = Maybe(List(2, _ => Bridge()))!,
        Workers = Maybe(new WorkerSpec
        {
            Count = workers = isWild ? In(-1, 18) : In(1, 16),
            Cpu = isWild || workers == 1 ? Null(In(0, 1023)) : null,
            Pin = isWild ? [.. List(3, _ => "").Select(_ => In(-1, 1100))] : workers > 1 && Coin() ? [.. Enumerable.Range(In(0, 1000), workers)] : [],
            SpinMicroseconds = Coin() ? 50 : In(0, 1_000_000),
            FlowEntries = In(1024, 67_108_864),
            NeighbourEntries = isWild ? In(0, 100) : In(64, 1_048_576),
            Seed = Null((ulong)_random.NextInt64(long.MinValue, long.MaxValue)),
            IcmpErrorsPerSecond = In(0, 1_000_000),
        })!,
    };

    public bool Coin() => _random.Next(2) == 0;

    private BridgeSpec Bridge() => new()
    {
        Name = Needed(),
        Ports = Maybe(List(3, _ => new BridgePortSpec { Port = Needed(), Isolate = Coin(), Horizon = Text(), Hosts = Null(In(1, 262_144)) }))!,
        Entries = In(64, 262_144),
        Ageing = TimeSpan.FromSeconds(In(10, 86_400)),
        Unknown = In(0, 1_000_000),
        Broadcast = In(0, 1_000_000),
        Multicast = In(0, 1_000_000),
        Moves = In(0, 1_000_000),
    };

    private PortSpec Port(int index)
    {
        PortKind kind = Pick<PortKind>();
        bool hasInterface = kind is PortKind.AfPacket or PortKind.AfXdp or PortKind.Tap, hasSocket = kind is PortKind.Memif or PortKind.Stream;
        return new PortSpec
        {
            Name = isWild && Coin() ? Text() : Coin() ? s_names[_random.Next(s_names.Length)] : $"p{index}",
            Kind = kind,
            Interface = hasInterface || isWild ? Text() : "",
            Input = kind == PortKind.Pcap || isWild ? Text() : "",
            Output = kind == PortKind.Pcap || isWild ? Text() : "",
            Socket = hasSocket || isWild ? Text() : "",
            Endpoint = kind == PortKind.Stream || isWild ? Text() : "",
            Tls = (kind == PortKind.Stream || isWild) && Coin() ? new StreamTls { Certificate = Text(), Key = Text(), Ca = Text(), Peer = Text() } : null,
            Id = kind == PortKind.Memif || isWild ? (uint)_random.NextInt64(uint.MaxValue + 1L) : 0,
            Role = hasSocket || isWild ? Pick<PortRole>() : PortRole.Client,
            Mac = Null(Mac()),
            Mtu = Null(In(576, 9000)),
            Worker = isWild ? Null(In(-1, 17)) : Null(0),
            Queues = isWild ? In(-1, 20) : kind is PortKind.AfPacket or PortKind.AfXdp or PortKind.Memif && Coin() ? In(1, 16) : 1,
            Take = kind == PortKind.AfXdp || isWild ? [.. List(3, _ => Traffic())] : [],
            Leave = kind == PortKind.AfXdp || isWild ? [.. List(3, _ => Traffic())] : [],
            NetworkNamespace = (kind == PortKind.Tap && Coin()) || isWild ? Text() : "",
            Descriptor = isWild ? Null(In(0, 2_000_000)) : kind == PortKind.Tap ? Null(In(3, 1_048_576)) : null,
            Offload = kind == PortKind.AfXdp || isWild ? Pick<PortOffload>() : kind == PortKind.Tap && Coin() ? PortOffload.Off : PortOffload.Auto,
            Ring = kind == PortKind.AfPacket || isWild ? Pick<AfPacketRing>() : default,
        };
    }

    private TrafficRule Traffic() => new()
    {
        To = Null(Prefix()),
        Protocol = Null((byte)In(0, 255)),
        ToPort = Null(Range()),
    };

    private RouteSpec Route() => new()
    {
        To = Prefix(),
        Via = Maybe(List(3, _ => Hop()))!,
        Reject = Pick<RouteReject>(),
    };

    private NextHopSpec Hop() => new()
    {
        Address = Null(Address()),
        Port = Text(),
        Vlan = Coin() ? 0 : In(0, 4094),
        Weight = Coin() ? 1 : In(1, 255),
    };

    private FilterRuleSpec Rule()
    {
        byte mask = (byte)In(1, 255);
        return new FilterRuleSpec
        {
            State = (ConnectionStates)In(0, isWild ? 31 : 15),
            Name = Text(),
            Action = Pick<FilterAction>(),
            From = Null(Prefix()),
            To = Null(Prefix()),
            Protocol = Null((byte)In(0, 255)),
            FromPort = Null(Range()),
            ToPort = Null(Range()),
            TcpFlags = Null(new TcpFlagMatch(isWild ? (byte)In(0, 255) : mask, isWild ? (byte)In(0, 255) : (byte)(In(0, 255) & mask))),
            Port = Text(),
        };
    }

    private NatSpec Nat() => new()
    {
        Inside = Needed(),
        Outside = Needed(),
        From = Null(Prefix()),
        Static = In(0, 5) == 0,
        Mapping = Pick<NatMapping>(),
        Filtering = Pick<NatFiltering>(),
        RefreshInbound = Coin(),
        Pool = Maybe<IReadOnlyList<IpAddress>>([.. Enumerable.Range(0, _random.Next(4)).Select(_ => Address())])!,
        Timeouts = Maybe(new NatTimeouts { Udp = Timeout(), TcpEstablished = Timeout(), TcpTransitory = Timeout(), TcpClosing = Timeout(), Icmp = Timeout() })!,
    };

    private TimeSpan Timeout() => TimeSpan.FromMilliseconds(isWild ? In(-1, 604_800_001) : In(1000, 604_800_000));

    private ServiceSpec Service()
    {
        // What is read again comes as it is written most plainly: one address without a length, one port without a last one.
        IpAddress address = Address();
        int one = In(isWild ? 0 : 1, 65535), other = In(isWild ? 0 : 1, 65535), first = Math.Min(one, other), last = Math.Max(one, other), length = In(8, 31);
        bool isAny = Coin();
        ServiceSpec service = Service(address);
        return Coin() ? service with { Port = (ushort)first }
            : service with { Port = isAny ? (ushort)0 : (ushort)first, LastPort = isAny ? ushort.MaxValue : last == first ? (ushort)0 : (ushort)last, PrefixLength = address.IsNone ? null : length };
    }

    private ServiceSpec Service(IpAddress address) => new()
    {
        Name = Needed(),
        Address = address,
        Port = 1,
        Protocol = isWild ? (byte)In(0, 255) : Coin() ? (byte)6 : (byte)17,
        Balance = Pick<BalancePolicy>(),
        Hash = Pick<HashFields>(),
        MaxLoad = Coin() ? null : In(100, 10_000) / 100.0,
        HashSeed = Coin() ? 0 : (ulong)_random.NextInt64(long.MinValue, long.MaxValue),
        Forward = Pick<ForwardMode>(),
        TableSize = Coin() ? 65537 : In(251, 5_000_011),
        Affinity = Null(Milliseconds(1000, 86_400_000)),
        OnRemove = Pick<RemovePolicy>(),
        NoBackend = Pick<NoBackendPolicy>(),
        Steer = Maybe(List(3, _ => new SteerSpec { From = Prefix(), To = isWild ? Maybe(Needed())! : "near,far" }))!,
        Quic = Coin() ? Quic() : null,
        Health = Coin() ? Health() : null,
        Backends = Maybe(List(3, _ => new BackendSpec
        {
            Address = Address(),
            Port = (ushort)In(isWild ? 0 : 1, 65535),
            Weight = In(0, 65535),
            Group = Coin() ? "" : isWild ? Maybe(Needed())! : "near",
            ServerIds = Coin() ? "" : isWild ? Maybe(Needed())! : "0a1b,17",
            Drain = Coin(),
            DrainDeadline = Null(Milliseconds(1000, 604_800_000)),
        }))!,
    };

    private QuicSpec Quic() => new()
    {
        ConnectionIds = Pick<ConnectionIdFormat>(),
        Configs = Maybe(List(3, _ => new QuicLbSpec
        {
            Id = In(isWild ? -1 : 0, isWild ? 9 : 6),
            ServerIdBytes = In(isWild ? -1 : 1, isWild ? 40 : 15),
            NonceBytes = In(isWild ? -1 : 4, isWild ? 40 : 18),
            Key = Coin() ? null : isWild ? Needed() : "8f95f09245765f80256934e50c66207f",
            EncodesLength = Coin(),
        }))!,
    };

    private NetworkSpec Network() => new()
    {
        Name = Needed(),
        Subnets = Maybe<IReadOnlyList<IpPrefix>>([.. Enumerable.Range(0, _random.Next(4)).Select(_ => Prefix())])!,
        Gateways = Maybe<IReadOnlyList<IpAddress>>([.. Enumerable.Range(0, _random.Next(3)).Select(_ => Address())])!,
        Mac = Null(Mac()),
        Mtu = In(576, 9000),
        Internal = Coin(),
        Isolate = Coin(),
        Reach = Maybe<IReadOnlyList<string>>(List(3, _ => Needed()))!,
        Dns = Maybe<IReadOnlyList<IpAddress>>([.. Enumerable.Range(0, _random.Next(3)).Select(_ => Address())])!,
        Search = Maybe<IReadOnlyList<string>>(List(3, _ => Needed()))!,
        RouterAdvertisements = Coin() ? null : new RouterAdvertisementSpec
        {
            Interval = Milliseconds(4000, 1_800_000),
            Lifetime = Null(TimeSpan.FromSeconds(In(0, 9000))),
            Managed = Coin(),
            Other = Coin(),
            Autonomous = Coin(),
        },
        Dhcp = Coin() ? null : new DhcpSpec { Lease = TimeSpan.FromSeconds(In(60, 604_800)), Routes = Maybe(List(3, _ => new DhcpRouteSpec { To = Prefix(), Via = Null(Address()) }))! },
        Endpoints = Maybe(List(4, _ => Endpoint()))!,
        Overlay = Coin() ? null : Overlay(),
    };

    private OverlaySpec Overlay() => new()
    {
        Port = Needed(),
        Vni = isWild ? _random.Next() : In(1, 0xFF_FFFF),
        Local = Address(),
        UdpPort = In(1, 65535),
        Peers = Maybe<IReadOnlyList<IpAddress>>([.. Enumerable.Range(0, _random.Next(3)).Select(_ => Address())])!,
        Links = Maybe(List(2, _ => new OverlayLinkSpec { Peer = Address(), Port = Needed() }))!,
        Endpoints = Maybe(List(3, _ => new RemoteEndpointSpec
        {
            Name = Needed(),
            Mac = Mac(),
            Addresses = Maybe<IReadOnlyList<IpAddress>>([.. Enumerable.Range(0, _random.Next(3)).Select(_ => Address())])!,
            Peer = Address(),
        }))!,
    };

    private EndpointSpec Endpoint() => new()
    {
        Name = Needed(),
        Port = Needed(),
        Mac = Mac(),
        Addresses = Maybe<IReadOnlyList<IpAddress>>([.. Enumerable.Range(0, _random.Next(4)).Select(_ => Address())])!,
        Rate = Coin() ? null : new RateSpec { In = Null(Rate()), Out = Null(Rate()), InBurst = Null((long)In(1600, int.MaxValue - 1)), OutBurst = Null((long)In(1600, 9999)) },
    };

    private EncapsulationSpec Encapsulation() => new()
    {
        Sources = Maybe<IReadOnlyList<IpPrefix>>([.. Enumerable.Range(0, _random.Next(3)).Select(_ => Prefix())])!,
        GuePort = Coin() ? EncapsulationSpec.DefaultGuePort : (ushort)In(isWild ? 0 : 1, 65535),
        Decapsulate = Maybe(List(3, _ => new DecapsulationSpec
        {
            Address = Address(),
            Kinds = (TunnelKinds)In(isWild ? -1 : 1, isWild ? 9 : 3),
            From = Maybe<IReadOnlyList<IpPrefix>>([.. Enumerable.Range(0, _random.Next(3)).Select(_ => Prefix())])!,
        }))!,
    };

    private long Rate() => isWild ? _random.NextInt64() : In(1, 1_000_000) * (Coin() ? 1_000L : 1_000_000L);

    private HealthSpec Health()
    {
        int status = In(100, 599);
        return new HealthSpec
        {
            Check = Pick<HealthCheckKind>(),
            Port = In(0, 65535),
            Source = Null(Address()),
            Path = isWild ? Text() : Coin() ? "/" : "/a?b=#c%20",
            Host = Text(),
            StatusFrom = status,
            StatusTo = In(Math.Clamp(status, 100, 599), 599),
            Send = Text(),
            Interval = Milliseconds(10, 3_600_000),
            Timeout = Milliseconds(10, 60_000),
            Rise = In(1, 100),
            Fall = In(1, 100),
            SlowStart = Milliseconds(0, 3_600_000),
            PanicPercent = In(0, 100),
            Passive = In(0, 1_000_000),
            Hold = Milliseconds(1000, 86_400_000),
        };
    }

    private TimeSpan Milliseconds(int min, int max) => TimeSpan.FromMilliseconds(In(min, max));

    private PortRange Range()
    {
        ushort first = (ushort)_random.Next(65536);
        return new PortRange(first, isWild ? (ushort)_random.Next(65536) : (ushort)_random.Next(first, 65536));
    }

    private IpPrefix Prefix() => isWild && _random.Next(4) == 0 ? default : Host() is var host && Coin()
        ? new IpPrefix(host, host.IsIpv4 ? 24 : 64)
        : new IpPrefix(host, _random.Next(host.BitLength + 1));

    private IpAddress Address() => isWild && _random.Next(4) == 0 ? default : Host();

    /// <summary>Few addresses close together, so that they meet; and some of every special kind.</summary>
    private IpAddress Host() => _random.Next(5) switch
    {
        0 => IpAddress.FromV4(0x0A00_0000u + (uint)_random.Next(4)),
        1 => IpAddress.FromV4((uint)_random.NextInt64(1L << 32)),
        2 => IpAddress.FromV6(0x2001_0db8_0000_0000, (ulong)_random.Next(4)),
        3 => IpAddress.FromV6(Coin() ? 0xFE80_0000_0000_0000 : 0, (ulong)_random.NextInt64()),
        _ => IpAddress.FromV6((ulong)_random.NextInt64(long.MinValue, long.MaxValue), Coin() ? 0 : (ulong)_random.NextInt64()),
    };

    private MacAddress Mac() => new((ulong)_random.NextInt64(1L << 48));

    private string Needed() => isWild ? Text() : s_texts[_random.Next(s_texts.Length)];

    private string Text()
    {
        string text = Coin() ? "" : s_texts[_random.Next(s_texts.Length)];
        return isWild && _random.Next(6) == 0 ? null! : text;
    }

    private int In(int min, int max) => isWild && _random.Next(5) == 0 ? _random.Next(int.MinValue, int.MaxValue) : _random.Next(min, max + 1);

    private T Pick<T>()
        where T : struct, Enum
    {
        T[] values = Enum.GetValues<T>();
        return isWild && _random.Next(6) == 0 ? (T)Enum.ToObject(typeof(T), 77) : values[_random.Next(values.Length)];
    }

    private T? Null<T>(T value)
        where T : struct => Coin() ? value : null;

    private T? Maybe<T>(T value)
        where T : class => isWild && _random.Next(6) == 0 ? null : value;

    private T[] List<T>(int max, Func<int, T> make)
        where T : class
    {
        T[] items = [.. Enumerable.Range(0, _random.Next(max + 1)).Select(make)];
        if (isWild && items.Length > 0 && _random.Next(6) == 0)
        {
            items[_random.Next(items.Length)] = null!;
        }

        return items;
    }

    /// <summary>Files hold ports by name, so that a name can be there once.</summary>
    private PortSpec[] Nameable(PortSpec[] ports) => isWild ? Maybe(ports)! : [.. ports.DistinctBy(port => port.Name)];
}
