using Dataplane.Filtering;
using Dataplane.Packets;

namespace Dataplane.Tests.Filtering;

/// <summary>The call for a whole batch, for one packet.</summary>
internal static class Bulk
{
    public static int Match(FilterProgram program, (FlowKey Key, PacketHeaders Headers, byte Port) packet)
    {
        Span<int> rules = stackalloc int[1];
        program.Match([new ParsedFrame { Key = packet.Key, Headers = packet.Headers }], packet.Port, rules);
        return rules[0];
    }
}
