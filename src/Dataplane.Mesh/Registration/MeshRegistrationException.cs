namespace Dataplane.Mesh.Registration;

/// <summary>The registry refuses a registration; the message says why.</summary>
public sealed class MeshRegistrationException : Exception
{
    /// <summary>Makes one without a message.</summary>
    public MeshRegistrationException()
    {
    }

    /// <summary>Makes one.</summary>
    public MeshRegistrationException(string message)
        : base(message)
    {
    }

    /// <summary>Makes one for another.</summary>
    public MeshRegistrationException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
