using System.Collections.Concurrent;
using System.Net.Sockets;
using Dataplane.Mesh.Relay;

namespace Dataplane.Mesh.Tests.Support;

/// <summary>One relay without an identity.</summary>
internal sealed class RelayBed : IAsyncDisposable
{
    internal RelayBed(params ListenerSpec[] listeners)
    {
        var limits = new RelayLimits { HandshakeTimeout = Patience.Limit, ConnectTimeout = Patience.Limit };
        Relay = new RelayServer(new RelaySpec { Listeners = listeners, Limits = limits }, Records.Enqueue);
        Relay.Start();
    }

    internal RelayServer Relay { get; }

    internal ConcurrentQueue<AccessRecord> Records { get; } = new();

    internal Task<Socket> ConnectAsync(string listener) => MeshPair.ConnectAsync(Relay.AddressOf(listener));

    public ValueTask DisposeAsync() => Relay.DisposeAsync();
}
