namespace Dataplane.Mesh.Authorization;

/// <summary>What a policy does with the connections it is about.</summary>
public enum PolicyAction
{
    /// <summary>They may pass, and what no policy of this kind allows may not.</summary>
    Allow,

    /// <summary>They may not pass, whatever allows them.</summary>
    Deny,
}
