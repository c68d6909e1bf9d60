using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using Dataplane.Mesh.Authorization;
using Dataplane.Mesh.Identity;
using Dataplane.Mesh.Tls;
using Dataplane.Ports;

namespace Dataplane.Mesh.Relay;

/// <summary>Takes one client in: all that stands before the first byte of its application.</summary>
internal sealed class Admission
{
    private readonly ListenerState _state;
    private readonly ListenerCounters _counters;
    private readonly TransportStream _transport;
    private bool _isGreeted;
    private bool _isProxied;
    private RelayEnd _greeting = new(RelayReason.Completed, RelaySide.Client);

    internal Admission(ListenerState state, ListenerCounters counters, TransportStream transport)
    {
        _state = state;
        _counters = counters;
        _transport = transport;
        Peer = Client = Sockets.Plain(transport.Socket.RemoteEndPoint);
        Destination = Sockets.Plain(transport.Socket.LocalEndPoint);
    }

    /// <summary>Who connected.</summary>
    internal IPEndPoint Peer { get; }

    /// <summary>Where the client is: the peer, or whom a believed PROXY header names.</summary>
    internal IPEndPoint Client { get; private set; }

    internal IPEndPoint Destination { get; private set; }

    internal SpiffeId? Identity { get; private set; }

    internal string ServerName { get; private set; } = "";

    /// <summary>The protocol agreed on (ALPN).</summary>
    internal SslApplicationProtocol Protocol { get; private set; }

    /// <summary>Version and suite; empty without TLS of ours.</summary>
    internal string TlsText { get; private set; } = "";

    /// <summary>The client's side, once it is in.</summary>
    internal Leg? Leg { get; private set; }

    internal ConnectionFacts Facts => new(_state.Spec.Name, _state.Spec.Kind switch
    {
        ListenerKind.Inbound => ConnectionMethod.Mutual,
        ListenerKind.Edge => ConnectionMethod.Tls,
        ListenerKind.Passthrough => ConnectionMethod.Passthrough,
        _ => ConnectionMethod.Plain,
    }, Client, Identity, ServerName, Destination);

    /// <summary>Takes it in.</summary>
    /// <exception cref="OperationCanceledException">It took too long.</exception>
    internal async Task<RelayEnd> RunAsync(CancellationToken cancellation)
    {
        RelayEnd end = OfRedirect();
        if (end.IsGood && _state.Spec.Kind != ListenerKind.Inbound && IsProxy())
            end = await ReadProxyAsync(_transport, cancellation).ConfigureAwait(false);
        if (!end.IsGood)
            return end;
        end = _state.Spec.Kind switch
        {
            ListenerKind.Inbound => await MutualAsync(cancellation).ConfigureAwait(false),
            ListenerKind.Edge => await EdgeAsync(cancellation).ConfigureAwait(false),
            ListenerKind.Passthrough => await PassAsync(cancellation).ConfigureAwait(false),
            _ => Plain(),
        };
        if (end.IsGood && _state.Spec.Original == OriginalDestination.Proxy && !_isProxied)
            return new RelayEnd(RelayReason.NoOriginalDestination, RelaySide.Client, "no PROXY header told it");
        return end;
    }

    private RelayEnd OfRedirect()
    {
        if (_state.Spec.Original != OriginalDestination.Redirect)
            return new RelayEnd(RelayReason.Completed, RelaySide.Client);
        IPEndPoint? original = Sockets.OriginalDestinationOf(_transport.Socket);
        if (original is null || original.Equals(Destination))
            return new RelayEnd(RelayReason.NoOriginalDestination, RelaySide.Client, "nothing was redirected");
        Destination = original;
        return new RelayEnd(RelayReason.Completed, RelaySide.Client);
    }

    private RelayEnd Plain()
    {
        Leg = new Leg(_transport, null);
        return new RelayEnd(RelayReason.Completed, RelaySide.Client);
    }

    private bool IsProxy() => Authorizer.Fits(Peer.Address, _state.Spec.ProxyFrom)
        || (Identity is not null && _state.Spec.ProxyFromIdentities.Any(pattern => pattern.Matches(Identity)));

    /// <summary>Reads the header and not a byte more, so that what follows is read by whom it is for.</summary>
    private async Task<RelayEnd> ReadProxyAsync(Stream stream, CancellationToken cancellation)
    {
        var invalid = new RelayEnd(RelayReason.ProxyHeaderInvalid, RelaySide.Client);
        byte[] bytes = ArrayPool<byte>.Shared.Rent(ProxyHeader.MaxBytes);
        try
        {
            if (await stream.ReadAtLeastAsync(bytes.AsMemory(0, ProxyHeader.FixedBytes), ProxyHeader.FixedBytes, false, cancellation).ConfigureAwait(false)
                < ProxyHeader.FixedBytes)
                return invalid with { Detail = "the stream ended before it" };
            int length = ProxyHeader.LengthOf(bytes);
            if (length < 0)
                return invalid;
            Memory<byte> rest = bytes.AsMemory(ProxyHeader.FixedBytes, length - ProxyHeader.FixedBytes);
            if (await stream.ReadAtLeastAsync(rest, rest.Length, false, cancellation).ConfigureAwait(false) < rest.Length
                || ProxyHeader.Parse(bytes.AsSpan(0, length), out ProxyHeader header, out _) != ProxyVerdict.Whole)
                return invalid;
            if (header.Source is not null)
            {
                Client = Sockets.Plain(header.Source);
                Destination = Sockets.Plain(header.Destination);
                _isProxied = true;
            }

            return new RelayEnd(RelayReason.Completed, RelaySide.Client);
        }
        catch (Exception error) when (error is not OperationCanceledException && TlsErrors.IsOfTheStream(error))
        {
            return TlsErrors.OfStream(error, RelaySide.Client);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    private async Task<RelayEnd> MutualAsync(CancellationToken cancellation)
    {
        IdentitySnapshot identity = _state.Identity!.Current;
        var judge = new PeerJudge(identity, [], RelaySide.Client);
        RelayEnd end = await HandshakeAsync(hello =>
        {
            ServerName = ClientHello.Normal(hello.ServerName ?? "");
            return TlsSettings.MeshServer(identity, judge);
        }, () => judge.Judgement, cancellation).ConfigureAwait(false);
        if (!end.IsGood)
            return end;
        Identity = judge.Peer;
        return IsProxy() ? await ReadProxyAsync(Leg!.Tls!, cancellation).ConfigureAwait(false) : end;
    }

    private Task<RelayEnd> EdgeAsync(CancellationToken cancellation) => HandshakeAsync(hello =>
    {
        ServerName = ClientHello.Normal(hello.ServerName ?? "");
        NamedCertificate? certificate = _state.Certificates!.For(ServerName);
        if (certificate is null)
        {
            _greeting = new RelayEnd(RelayReason.ServerNameUnknown, RelaySide.Client, ServerName);
            throw new AuthenticationException("no certificate for this name");
        }

        return TlsSettings.Edge(certificate.Context, _state.Spec.AllowTls12, _state.Protocols);
    }, () => _greeting, cancellation);

    private async Task<RelayEnd> HandshakeAsync(
        Func<SslClientHelloInfo, SslServerAuthenticationOptions> greet, Func<RelayEnd> judgement, CancellationToken cancellation)
    {
        long begun = TimeProvider.System.GetTimestamp();
        var tls = new TlsStream(_transport);
        Leg = new Leg(_transport, tls);
        SslProtocols offered = SslProtocols.None;
        try
        {
            await tls.AuthenticateAsServerAsync((_, hello, _, _) =>
            {
                _isGreeted = true;
                offered = hello.SslProtocols;
                return ValueTask.FromResult(greet(hello));
            }, null, cancellation).ConfigureAwait(false);
        }
        catch (Exception error) when (error is AuthenticationException or IOException or InvalidOperationException or CryptographicException
            or System.Net.Sockets.SocketException or NotSupportedException)
        {
            // Not supported: to a first record that is no greeting the runtime goes on without asking for our options, and then finds no certificate.
            if (!judgement().IsGood)
                return judgement();
            bool hasVersion = !_isGreeted || offered.HasFlag(SslProtocols.Tls13) || (_state.Spec.AllowTls12 && offered.HasFlag(SslProtocols.Tls12));
            return hasVersion
                ? TlsErrors.OfHandshake(error, RelaySide.Client, _isGreeted)
                : new RelayEnd(RelayReason.TlsVersion, RelaySide.Client, $"it offers {offered}");
        }

        _counters.Handshake(TimeProvider.System.GetElapsedTime(begun));
        TlsText = $"{(tls.SslProtocol == SslProtocols.Tls13 ? "TLSv1.3" : "TLSv1.2")} {tls.NegotiatedCipherSuite}";
        Protocol = tls.NegotiatedApplicationProtocol;
        return judgement();
    }

    /// <summary>Reads the greeting and leaves it where it is, to be sent on with all that follows.</summary>
    private async Task<RelayEnd> PassAsync(CancellationToken cancellation)
    {
        Leg = new Leg(_transport, null);
        try
        {
            while (true)
            {
                ReadResult read = await Leg.Ahead.ReadAsync(cancellation).ConfigureAwait(false);
                ReadOnlySequence<byte> bytes = read.Buffer.Slice(0, Math.Min(read.Buffer.Length, 2 * ClientHello.MaxBytes));
                ClientHello hello = bytes.IsSingleSegment ? ClientHello.Parse(bytes.FirstSpan) : ClientHello.Parse(bytes.ToArray());
                if (hello.Verdict == ClientHelloVerdict.Incomplete && bytes.Length < 2 * ClientHello.MaxBytes && !read.IsCompleted)
                {
                    Leg.Ahead.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                    continue;
                }

                Leg.Ahead.AdvanceTo(read.Buffer.Start);
                ServerName = hello.ServerName;
                return hello.Verdict switch
                {
                    ClientHelloVerdict.Whole => new RelayEnd(RelayReason.Completed, RelaySide.Client),
                    ClientHelloVerdict.NotTls => new RelayEnd(RelayReason.TlsNotSpoken, RelaySide.Client),
                    ClientHelloVerdict.Incomplete when read.IsCompleted => new RelayEnd(RelayReason.HandshakeAborted, RelaySide.Client),
                    _ => new RelayEnd(RelayReason.ClientHelloInvalid, RelaySide.Client, hello.Verdict.ToString()),
                };
            }
        }
        catch (Exception error) when (error is not OperationCanceledException && TlsErrors.IsOfTheStream(error))
        {
            return TlsErrors.OfHandshake(error, RelaySide.Client, isGreeted: true);
        }
    }
}
