using System.Runtime.InteropServices;
using System.Threading.Channels;

namespace Dataplane.Gateway.Commands;

/// <summary>The signals that a long-running command answers, in the order they came. Unix only in part: Windows knows no SIGHUP.</summary>
internal sealed class Signals : IDisposable
{
    /// <summary>SIGUSR1, by its number on Linux: .NET has no name for it.</summary>
    public const PosixSignal User1 = (PosixSignal)10;

    /// <summary>SIGUSR2.</summary>
    public const PosixSignal User2 = (PosixSignal)12;

    /// <summary>Both. Who does not register them is ended by them.</summary>
    public static IReadOnlyList<PosixSignal> OfTheUser { get; } = [User1, User2];

    private readonly Channel<PosixSignal> _came = Channel.CreateUnbounded<PosixSignal>();
    private readonly PosixSignalRegistration[] _registrations;

    public Signals(params PosixSignal[] signals) => _registrations = [.. signals.Select(signal => PosixSignalRegistration.Create(signal, context =>
    {
        // The command ends by itself, in order; a second signal of the kind changes nothing about it.
        context.Cancel = true;
        _came.Writer.TryWrite(context.Signal);
    }))];

    /// <summary>Waits for the next signal.</summary>
    public ValueTask<PosixSignal> NextAsync(CancellationToken cancellationToken = default) => _came.Reader.ReadAsync(cancellationToken);

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
        {
            registration.Dispose();
        }
    }
}
