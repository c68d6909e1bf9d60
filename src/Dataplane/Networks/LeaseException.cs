namespace Dataplane.Networks;

/// <summary>An address cannot be given; the message says which, why, and what would help.</summary>
public sealed class LeaseException : IOException
{
    /// <summary>Makes the exception.</summary>
    /// <param name="message">What cannot be given and why.</param>
    public LeaseException(string message)
        : base(message)
    {
    }
}
