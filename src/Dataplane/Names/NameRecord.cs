using Dataplane.Packets;

namespace Dataplane.Names;

/// <summary>One resource record of a zone. Immutable.</summary>
public sealed record NameRecord
{
    /// <summary>Whole name, with or without the dot at its end: letters, digits, <c>-</c> and <c>_</c>; the case does not matter.</summary>
    public required string Name { get; init; }

    /// <summary>What the record says.</summary>
    public required NameRecordType Type { get; init; }

    /// <summary>The address of an <see cref="NameRecordType.A"/> or <see cref="NameRecordType.Aaaa"/> record.</summary>
    public IpAddress Address { get; init; }

    /// <summary>The whole name a CNAME, PTR or SRV record leads to.</summary>
    public string Target { get; init; } = "";

    /// <summary>The text of a TXT record, up to 255 bytes as UTF-8.</summary>
    public string Text { get; init; } = "";

    /// <summary>Priority of an SRV record, 0 to 65535; the lowest is tried first.</summary>
    public ushort Priority { get; init; }

    /// <summary>Of an SRV record the weight on the wire, 0 to 65535. Of an address how often it stands first in answers, against the other addresses of the
    /// name; 0: never first while another is there.</summary>
    public int Weight { get; init; } = 1;

    /// <summary>Port of an SRV record.</summary>
    public ushort Port { get; init; }

    /// <summary>How long others may keep the record, in seconds, 0 to 2147483647; null: as the zone says. All records of a name and type share the lowest (RFC 2181 5.2).</summary>
    public int? TtlSeconds { get; init; }

    /// <summary>Whether it was made of another by DNS64.</summary>
    internal bool IsSynthesized { get; init; }

    /// <summary>Makes an A or AAAA record, by the family of the address.</summary>
    public static NameRecord Of(string name, IpAddress address, int weight = 1) =>
        new() { Name = name, Type = address.IsIpv6 ? NameRecordType.Aaaa : NameRecordType.A, Address = address, Weight = weight };

    /// <summary>Makes an SRV record (RFC 2782).</summary>
    public static NameRecord Srv(string name, string target, ushort port, ushort priority = 0, ushort weight = 100) =>
        new() { Name = name, Type = NameRecordType.Srv, Target = target, Port = port, Priority = priority, Weight = weight };

    /// <summary>Makes a PTR record: the name of an address.</summary>
    public static NameRecord Reverse(IpAddress address, string target) =>
        new() { Name = DomainName.ReverseOf(address), Type = NameRecordType.DomainPointer, Target = target };

    /// <summary>Makes a CNAME record: an alias.</summary>
    public static NameRecord Cname(string name, string target) => new() { Name = name, Type = NameRecordType.Cname, Target = target };

    /// <summary>Makes a TXT record.</summary>
    public static NameRecord Txt(string name, string text) => new() { Name = name, Type = NameRecordType.Txt, Text = text };
}
