namespace Dataplane.Switching;

/// <summary>What passed between an endpoint and the engine. Written by the worker of its port only, read by any thread.</summary>
internal sealed class StationCounters
{
    public long SentFrames, SentBytes, ReceivedFrames, ReceivedBytes, Spoofed, Rogue, Advertised, DhcpMessages, SentLimited, ReceivedLimited;
}
