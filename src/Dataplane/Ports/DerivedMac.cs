using Dataplane.Packets;

namespace Dataplane.Ports;

/// <summary>Hardware addresses for ports that have none of their own.</summary>
internal static class DerivedMac
{
    /// <summary>A locally administered unicast address (02:...) that depends on the name alone, so that a restart keeps it.</summary>
    internal static MacAddress FromName(string name)
    {
        // FNV-1a; string.GetHashCode differs from process to process.
        ulong hash = 14_695_981_039_346_656_037;
        foreach (char letter in name)
            hash = (hash ^ letter) * 1_099_511_628_211;
        return new MacAddress(0x0200_0000_0000 | ((hash ^ (hash >> 40)) & 0xFF_FFFF_FFFF));
    }
}
