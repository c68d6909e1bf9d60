namespace Dataplane.Packets;

/// <summary>Types of neighbour discovery options (RFC 4861, 4.6).</summary>
public static class NdOptionKinds
{
    /// <summary>Link-layer address of the sender.</summary>
    public const byte SourceLinkLayerAddress = 1;

    /// <summary>Link-layer address of the target.</summary>
    public const byte TargetLinkLayerAddress = 2;

    /// <summary>A prefix of the link.</summary>
    public const byte PrefixInformation = 3;

    /// <summary>The packet a redirect is about.</summary>
    public const byte RedirectedHeader = 4;

    /// <summary>The MTU of the link.</summary>
    public const byte Mtu = 5;
}
