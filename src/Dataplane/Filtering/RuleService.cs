namespace Dataplane.Filtering;

/// <summary>What a rule asks for beside addresses. Rule sets of thousands of rules have but some hundred different ones.</summary>
/// <param name="Mask">Bits of the <see cref="TransportWord"/> that are looked at.</param>
/// <param name="Value">What they have to be; a bit set here and not in the mask is never met.</param>
/// <param name="SourcePorts">Source ports.</param>
/// <param name="DestinationPorts">Destination ports.</param>
internal readonly record struct RuleService(uint Mask, uint Value, PortRange SourcePorts, PortRange DestinationPorts)
{
    /// <summary>Whether a packet meets it.</summary>
    public bool Matches(uint transport, ushort sourcePort, ushort destinationPort) =>
        (transport & Mask) == Value && SourcePorts.Contains(sourcePort) && DestinationPorts.Contains(destinationPort);
}
