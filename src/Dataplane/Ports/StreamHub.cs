using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;

namespace Dataplane.Ports;

/// <summary>One listening socket for many stream ports with TLS: which port a peer gets is decided by the name in its certificate.</summary>
/// <remarks>
/// TLS 1.3 with certificates on both sides, as with <see cref="StreamPortFactory"/>. A peer whose certificate has the name of no open port is refused, with a reason that
/// <see cref="ReadEvents"/> counts. A peer that connects anew takes the place of its own older connection, and of nobody else's: after a loss of power the older one would
/// stand for half a minute. Safe for several threads. Ports outlive the hub, but nobody reaches them any more.
/// </remarks>
public sealed class StreamHub : IDisposable
{
    /// <summary>Peers that may be at their handshake at once: when a host comes back, all others that dial are there at the same moment.</summary>
    private const int MaxHandshakes = 64;

    private readonly ConcurrentDictionary<string, StreamLink> _links = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stop = new();
    private readonly StreamEvents _events = new();
    private readonly StreamSettings _settings;
    private readonly StreamListener _listener;
    private readonly Task _running;

    /// <summary>Begins to listen.</summary>
    /// <param name="address">Where; <c>[::]</c> takes IPv4 as well.</param>
    /// <param name="tls">What is shown and who is believed; <see cref="StreamTls.Peer"/> is each port's own.</param>
    /// <exception cref="IOException">The address cannot be listened at, or a certificate cannot be read.</exception>
    public StreamHub(IPEndPoint address, StreamTls tls)
    {
        ArgumentNullException.ThrowIfNull(address);
        ArgumentNullException.ThrowIfNull(tls);
        _settings = new StreamSettings("hub", address, PortRole.Server, tls, default, 0, 0) { Hub = this };
        StreamCredentials.Read(tls).Dispose();
        _listener = new StreamListener(_settings);
        _running = Task.Run(() => _listener.RunAsync(AdmitAsync, _events, _stop.Token, MaxHandshakes));
    }

    /// <summary>Why a peer was refused last; empty when none was.</summary>
    public string LastRefusal => ReadEvents().Count == 0 ? "" : _events.Last;

    /// <summary>How often peers were refused for which reason, since the hub was made.</summary>
    public IReadOnlyList<PortEvent> ReadEvents() => _events.Read();

    /// <summary>A port for one peer, which connects to the hub.</summary>
    /// <param name="peer">Name that its certificate must have: see <see cref="StreamTls.Peer"/>. One open port each; of two the one opened last gets the peer.</param>
    /// <param name="mtu">Largest layer 3 packet in bytes, 576 to 65,000.</param>
    /// <param name="ringFrames">Frames that may wait in each direction, a power of two from 2 to 65,536.</param>
    public IPortFactory PortFor(string peer, int mtu = 1500, int ringFrames = 1024)
    {
        ArgumentException.ThrowIfNullOrEmpty(peer);
        return new StreamPortFactory(_settings.Address, PortRole.Server) { Tls = _settings.Tls! with { Peer = peer }, Mtu = mtu, RingFrames = ringFrames, Hub = this };
    }

    /// <summary>Listens no more. Standing connections go on until their ports close.</summary>
    public void Dispose()
    {
        _stop.Cancel();
        _running.GetAwaiter().GetResult();
        _listener.Dispose();
        _stop.Dispose();
    }

    /// <summary>A port waits for a peer.</summary>
    internal void Add(string peer, StreamLink link) => _links[peer] = link;

    /// <summary>A port closes; one that was opened for the peer since stays.</summary>
    internal void Remove(string peer, StreamLink link) => _links.TryRemove(new KeyValuePair<string, StreamLink>(peer, link));

    /// <summary>The link that waits for the holder of a certificate; null: none does.</summary>
    internal StreamLink? LinkOf(X509Certificate2 certificate)
    {
        foreach ((string peer, StreamLink link) in _links)
        {
            // A certificate for many names would be that of every peer at once.
            if (StreamHandshake.HasName(certificate, peer, allowWildcards: false))
                return link;
        }

        return null;
    }

    private async Task AdmitAsync(Socket socket)
    {
        StreamAdmission admission = await StreamAdmission.AcceptAsync(null, _settings, socket, _stop.Token).ConfigureAwait(false);
        if (admission.Connection is { } connection)
            connection.Link.Offer(connection);
        else
            _events.Note(admission.End);
    }
}
