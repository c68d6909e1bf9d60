namespace Dataplane.Names;

/// <summary>Type of a resource record that the name server answers with; the values are those on the wire (RFC 1035 3.2.2, RFC 2782, RFC 3596).</summary>
public enum NameRecordType : ushort
{
    /// <summary>IPv4 address.</summary>
    A = 1,

    /// <summary>The name is an alias of another.</summary>
    Cname = 5,

    /// <summary>Name of an address, under <c>in-addr.arpa</c> or <c>ip6.arpa</c>.</summary>
    DomainPointer = 12,

    /// <summary>Text.</summary>
    Txt = 16,

    /// <summary>IPv6 address.</summary>
    Aaaa = 28,

    /// <summary>Host and port of a service.</summary>
    Srv = 33,
}
