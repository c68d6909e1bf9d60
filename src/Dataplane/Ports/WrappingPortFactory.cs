namespace Dataplane.Ports;

/// <summary>Opens a port by another factory and puts something around it, such as a <see cref="FaultyPort"/> or a <see cref="CapturingPort"/>.</summary>
public sealed class WrappingPortFactory : IPortFactory
{
    private readonly IPortFactory _inner;
    private readonly Func<IPort, IPort> _wrap;

    /// <summary>Makes a factory.</summary>
    /// <param name="inner">Opens the inner port.</param>
    /// <param name="wrap">Makes the port that the engine uses; it owns the inner one from then on.</param>
    public WrappingPortFactory(IPortFactory inner, Func<IPort, IPort> wrap)
    {
        ArgumentNullException.ThrowIfNull(inner);
        ArgumentNullException.ThrowIfNull(wrap);
        _inner = inner;
        _wrap = wrap;
    }

    /// <inheritdoc/>
    public string Kind => _inner.Kind;

    /// <summary>Opens both. When the second cannot be made, the first is closed.</summary>
    /// <param name="name">The port's name in the configuration.</param>
    /// <exception cref="IOException">The inner port cannot be opened.</exception>
    public IPort Open(string name)
    {
        IPort port = _inner.Open(name);
        try
        {
            return _wrap(port);
        }
        catch
        {
            port.Dispose();
            throw;
        }
    }
}
