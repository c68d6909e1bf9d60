using Dataplane.Packets;

namespace Dataplane.Nat64;

/// <summary>Which address a host has in the other family (RFC 7757 3.3, RFC 6052 2.3). Immutable.</summary>
internal sealed class SiitTable
{
    private const int V4Bits = 32, V6Bits = 128;

    private readonly Mapping[] _mappings;
    private readonly AddressIntervals _v4, _v6;
    private readonly IpAddress[] _routers;

    private SiitTable(SiitSpec spec)
    {
        Prefix = spec.Prefix;
        DropsUdpWithoutChecksum = spec.DropUdpWithoutChecksum;
        _mappings = [.. spec.Mappings.Select(entry => new Mapping(entry))];
        _v4 = new AddressIntervals(spec.Mappings.Select(entry => (entry.V4.First.Bits, entry.V4.Last.Bits)));
        _v6 = new AddressIntervals(spec.Mappings.Select(entry => (entry.V6.First.Bits, entry.V6.Last.Bits)));
        _routers = [.. spec.RouterAddresses];
    }

    /// <summary>Where IPv4 addresses without a mapping stand.</summary>
    public IpPrefix Prefix { get; }

    /// <summary>Whether UDP over IPv4 without a checksum is dropped.</summary>
    public bool DropsUdpWithoutChecksum { get; }

    /// <summary>Makes the table, or takes the one in force if it says the same; null where nothing is translated so.</summary>
    public static SiitTable? Compile(SiitSpec? spec) => spec is null ? null : new SiitTable(spec);

    /// <summary>Addresses of single hosts, and of routers, that others on a link ask for: whose packets come here.</summary>
    public static IEnumerable<IpAddress> AddressesOf(SiitSpec? spec) => spec is null ? []
        : spec.Mappings.Select(entry => entry.Hosts == SiitHosts.V6 ? entry.V4 : entry.V6).Where(outside => outside.Length == outside.Address.BitLength)
            .Select(outside => outside.Address).Concat(spec.RouterAddresses);

    /// <summary>Whether an address is that of a mapped host, and which family the host speaks.</summary>
    public bool IsMapped(IpAddress address, out SiitHosts hosts)
    {
        int number = Find(address);
        hosts = number < 0 ? default : _mappings[number].Hosts;
        return number >= 0;
    }

    /// <summary>Whether an address is that of a mapped host that speaks a family.</summary>
    public bool IsMapped(IpAddress address, SiitHosts hosts) => IsMapped(address, out SiitHosts found) && found == hosts;

    /// <summary>Whether an IPv6 address stands for a host that speaks IPv4.</summary>
    public bool IsV4Host(IpAddress v6) => IsMapped(v6, out SiitHosts hosts) ? hosts == SiitHosts.V4 : Prefix.Contains(v6);

    /// <summary>A destination in the other family.</summary>
    public bool TryMapDestination(IpAddress address, out IpAddress mapped) => TryMap(address, address.IsIpv4 ? null : SiitHosts.V4, out mapped);

    /// <summary>
    /// A source in the other family. IPv4 addresses of hosts that speak IPv6 themselves are sources only towards others of these: they stay behind the prefix, or the answers would not come
    /// back this way (RFC 7757 4.2.1).
    /// </summary>
    public bool TryMapSource(IpAddress address, out IpAddress mapped) => TryMap(address, address.IsIpv4 ? SiitHosts.V4 : null, out mapped);

    /// <summary>An IPv4 address for a router that has none: always the same one, so that its answers look alike (RFC 6791 4).</summary>
    public IpAddress RouterFor(IpAddress v6) => _routers.Length == 0 ? default : _routers[(int)(((v6.High ^ v6.Low) * 0x9E37_79B9_7F4A_7C15 >> 32) % (uint)_routers.Length)];

    private bool TryMap(IpAddress address, SiitHosts? only, out IpAddress mapped)
    {
        int number = Find(address);
        if (number >= 0 && (only is null || _mappings[number].Hosts == only))
        {
            mapped = address.IsIpv4 ? _mappings[number].ToV6(address) : _mappings[number].ToV4(address);
            return true;
        }

        IpAddress v4 = address.IsIpv4 ? address : Prefix.Contains(address) ? EmbeddedAddress.Extract(Prefix, address) : default;
        mapped = address.IsIpv4 ? EmbeddedAddress.Embed(Prefix, address) : v4;
        return !v4.IsNone && EmbeddedAddress.MayEmbed(Prefix, v4);
    }

    private int Find(IpAddress address) => (address.IsIpv4 ? _v4 : _v6).Find(address.Bits);

    /// <summary>One mapping, as numbers.</summary>
    private readonly struct Mapping(SiitMappingSpec spec)
    {
        private readonly uint _v4 = (uint)spec.V4.First.Low;
        private readonly UInt128 _v6 = spec.V6.First.Bits;
        private readonly int _suffix = V4Bits - spec.V4.Length, _behind = V6Bits - spec.V6.Length - (V4Bits - spec.V4.Length);

        public SiitHosts Hosts { get; } = spec.Hosts;

        /// <summary>The suffix behind the prefix, zeros behind it (RFC 7757 3.3.1).</summary>
        public IpAddress ToV6(IpAddress v4) => IpAddress.FromBits(IpFamily.V6, _v6 | (Suffix == 0 ? 0 : (UInt128)((uint)v4.Low & Suffix) << _behind));

        /// <summary>The same back; what lies behind the suffix is not looked at (RFC 7757 3.3.2).</summary>
        public IpAddress ToV4(IpAddress v6) => IpAddress.FromV4(_v4 | (Suffix == 0 ? 0 : (uint)(v6.Bits >> _behind) & Suffix));

        private uint Suffix => (uint)((1ul << _suffix) - 1);
    }
}
